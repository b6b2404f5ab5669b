// One view on a page of its own: all its rows as a table, and its stream beside it.
import { announce, copyButton, el, setText } from "./dom.js";
import { StatusLine } from "./status.js";
import { Table } from "./table.js";
import { typeOf } from "./values.js";
import { Viewer } from "./viewer.js";
import { Wire } from "./wire.js";

/** From this width on there is room for the stream beside the table, in px. */
const WIDE = matchMedia("(min-width: 1000px)");

export class ViewPage extends Viewer {
  #table = null;
  #wire;
  #parts;

  constructor(view, { onActivity }) {
    const status = new StatusLine();
    super(view, status, onActivity);
    const address = new URL(view.stream, location.href).href;
    this.#wire = new Wire(address);
    this.#wire.element.hidden = !WIDE.matches;
    const heading = el("h2", { id: "view-title", tabindex: "-1" }, view.name);
    const count = el("p", { class: "count" });
    const filter = el("input", { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows", spellcheck: "false", autocomplete: "off",
      oninput: ({ target }) => this.#table?.filter(target.value) });
    const csv = copyButton("Copy as CSV", () => this.#table?.csv() ?? "");
    const json = el("a", { class: "quiet", href: view.stream.replace(/\/stream$/, "") }, "JSON");
    const toggle = el("button", { type: "button", class: "quiet", "aria-controls": "wire", onclick: () => this.#toggleWire() }, "Stream");
    toggle.setAttribute("aria-expanded", String(!this.#wire.element.hidden));
    const body = el("div", { class: "body" }, el("p", { class: "empty" }, "Waiting for the first rows…"));
    this.#parts = { heading, count, filter, toggle, body };
    this.element = el("article", { class: "panel view", "aria-labelledby": "view-title", "data-view": view.name },
      el("header", {}, el("div", { class: "view-title" }, el("a", { href: "#/" }, "All views"), heading), el("div", { class: "tools" }, csv, json, toggle), status.element),
      el("div", { class: "table-tools" }, filter, count),
      el("div", { class: "view-body" }, body, this.#wire.element));
  }

  focus() {
    this.#parts.heading.focus({ preventScroll: true });
  }

  listen(stream) {
    stream.addEventListener("wire", ({ detail }) => this.#wire.add(detail));
    stream.addEventListener("base", () => {
      this.#reset();
      this.heard(0);
    });
    stream.addEventListener("change", ({ detail }) => {
      this.#table?.apply(detail);
      this.heard(detail.inserted.length + detail.deleted.length);
    });
    stream.addEventListener("heartbeat", () => this.heard(0));
  }

  heard(changes) {
    super.heard(changes);
    this.showStatus();
  }

  close() {
    super.close();
    this.#table?.close();
  }

  #toggleWire() {
    const { element } = this.#wire;
    element.hidden = !element.hidden;
    this.#parts.toggle.setAttribute("aria-expanded", String(!element.hidden));
  }

  /** A base: the same table again, or another one if the view has other columns now. */
  #reset() {
    const [first] = this.stream.entries();
    const names = first === undefined ? this.view.columns.map(({ name }) => name) : Object.keys(first[0]);
    const columns = names.map((name) => this.view.columns.find((each) => each.name === name) ?? { name, type: typeOf(first[0][name]) });
    if (this.#table === null || this.#table.columns !== JSON.stringify(columns)) {
      this.#table?.close();
      this.#table = new Table(columns, (text) => setText(this.#parts.count, text));
      this.#parts.body.replaceChildren(this.#table.element);
      if (this.#parts.filter.value !== "") this.#table.filter(this.#parts.filter.value);
    }
    this.#table.reset(this.stream);
    announce(`${this.view.name}: ${this.#parts.count.textContent}`);
  }
}

// One view on a page of its own: its rows as a table, all or those that a filter asks for, and its stream beside it.
import { announce, copyButton, el, setText } from "./dom.js";
import { FilterBox } from "./filter.js";
import { pathOf } from "./routes.js";
import { REFUSED, StatusLine } from "./status.js";
import { Table } from "./table.js";
import { typeOf } from "./values.js";
import { Viewer } from "./viewer.js";
import { Wire } from "./wire.js";

/** From this width on there is room for the stream beside the table, in px. */
const WIDE = matchMedia("(min-width: 1000px)");

export class ViewPage extends Viewer {
  #table = null;
  #wire = new Wire();
  #parts;
  #box = null;
  /** Of the stream that is shown; it names a window. */
  #query = null;
  /** Whether the gateway does not take it: there is no stream then. */
  isRefused = false;

  constructor(view, { query, onActivity }) {
    const status = new StatusLine();
    super(view, status, onActivity);
    this.#wire.element.hidden = !WIDE.matches;
    const heading = el("h2", { id: "view-title", tabindex: "-1" }, view.name);
    const count = el("p", { class: "count" });
    const filter = el("input", { type: "search", placeholder: "Search these rows", "aria-label": "Search these rows", spellcheck: "false", autocomplete: "off",
      oninput: ({ target }) => this.#table?.filter(target.value) });
    const csv = copyButton("Copy as CSV", () => this.#table?.csv() ?? "");
    const json = el("a", { class: "quiet" }, "JSON");
    const toggle = el("button", { type: "button", class: "quiet", "aria-controls": "wire", onclick: () => this.#toggleWire() }, "Stream");
    toggle.setAttribute("aria-expanded", String(!this.#wire.element.hidden));
    const body = el("div", { class: "body" });
    this.#parts = { heading, count, filter, json, toggle, body };
    if (view.filterable?.length > 0) this.#box = new FilterBox(view.filterable, (asked) => (location.hash = pathOf(view.name, asked)));
    this.element = el("article", { class: "panel view", "aria-labelledby": "view-title", "data-view": view.name },
      el("header", {}, el("div", { class: "view-title" }, el("a", { href: "#/" }, "All views"), heading), el("div", { class: "tools" }, csv, json, toggle), status.element),
      ...(this.#box === null ? [] : [this.#box.element]),
      el("div", { class: "table-tools" }, filter, count),
      el("div", { class: "view-body" }, body, this.#wire.element));
    this.show(query);
  }

  /** Shows all rows, or those that a query asks for if the gateway takes it. */
  show(query) {
    if (query === this.#query) return;
    [this.#query, this.isRefused] = [query, false];
    const { stream } = this.view;
    const [address, snapshot] = [stream, stream.replace(/\/stream$/, "")].map((path) => `${path}${query && "?"}${query}`);
    this.#box?.show(query);
    this.#wire.show(new URL(address, location.href).href);
    this.#parts.json.setAttribute("href", snapshot);
    this.#empty("Waiting for the first rows…");
    this.follow(address);
  }

  /** What the gateway does not take is not asked for again. */
  #refuse({ message, hint }) {
    this.isRefused = true;
    const words = `The gateway does not take this filter: ${message}. ${hint}`;
    this.#box?.say(words);
    this.#empty(this.#box === null ? words : "No rows without a filter that the gateway takes.");
    this.follow(null, REFUSED);
  }

  focus() {
    this.#parts.heading.focus({ preventScroll: true });
  }

  listen(stream) {
    stream.addEventListener("wire", ({ detail }) => this.#wire.add(detail));
    stream.addEventListener("status", ({ detail: { error } }) => { if (error?.status === 400) this.#refuse(error); });
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
    this.#query = null;
    super.close();
    this.#table?.close();
  }

  /** No rows, for a reason. */
  #empty(words) {
    this.#table?.close();
    this.#table = null;
    setText(this.#parts.count, "");
    this.#parts.body.replaceChildren(el("p", { class: "empty" }, words));
  }

  #toggleWire() {
    const { element } = this.#wire;
    element.hidden = !element.hidden;
    this.#parts.toggle.setAttribute("aria-expanded", String(!element.hidden));
    // On a phone it is below the table.
    if (!element.hidden) element.scrollIntoView({ block: "nearest" });
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

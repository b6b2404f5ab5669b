// One view on a page of its own: its rows as a table, all or those that a filter asks for, and its stream beside it.
import { announce, copyButton, el, setText, skeleton } from "./dom.js";
import { FilterBox } from "./filter.js";
import { pathOf } from "./routes.js";
import { Sql } from "./sql.js";
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
  #sql = new Sql();
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
    const beside = el("div", { class: "beside" }, this.#sql.element, this.#wire.element);
    this.#sql.element.hidden = view.sql === null || !WIDE.matches;
    const toggles = [["SQL", this.#sql.element], ["Stream", this.#wire.element]].map(([name, shown]) =>
      el("button", { type: "button", class: "quiet", "aria-controls": shown.id, "aria-expanded": String(!shown.hidden), onclick: ({ target }) => this.#toggle(target, shown) }, name));
    if (view.sql === null) toggles.shift();
    const body = el("div", { class: "body" });
    this.#parts = { heading, count, filter, json, body, beside };
    if (view.filterable?.length > 0) this.#box = new FilterBox(view.filterable, (asked) => (location.hash = pathOf(view.name, asked)));
    this.element = el("article", { class: "panel view", "aria-labelledby": "view-title", "data-view": view.name },
      el("header", {}, el("div", { class: "view-title" }, el("a", { href: "#/" }, "All views"), heading), el("div", { class: "tools" }, csv, json, ...toggles), status.element),
      ...(this.#box === null ? [] : [this.#box.element]),
      el("div", { class: "table-tools" }, filter, count),
      el("div", { class: "view-body" }, body, beside));
    this.#showBeside();
    this.#readSql();
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
    this.#stand(skeleton(12));
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
      if (this.#table !== null) this.#readSql();
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
  #empty(words) { this.#stand(el("p", { class: "empty" }, words)); }

  /** Something else stands where the rows would be. */
  #stand(element) {
    this.#table?.close();
    this.#table = null;
    setText(this.#parts.count, "");
    this.#parts.body.replaceChildren(element);
  }

  #toggle(button, shown) {
    shown.hidden = !shown.hidden;
    button.setAttribute("aria-expanded", String(!shown.hidden));
    this.#showBeside();
    // On a phone the stream is below the table.
    if (!shown.hidden) shown.scrollIntoView({ block: "nearest" });
  }

  /** Nothing takes no room. */
  #showBeside() {
    this.#parts.beside.hidden = this.#sql.element.hidden && this.#wire.element.hidden;
  }

  /** At the beginning and at each further base: the view may be another one then. */
  async #readSql() {
    if (this.view.sql === null) return;
    const answer = await fetch(this.view.sql).catch(() => null);
    if (answer?.ok) this.#sql.show(await answer.text());
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

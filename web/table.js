// Any view as a table of which only the rows in sight are in the document,
// so that a hundred thousand of them scroll like ten.
import { el, glide, setText } from "./dom.js";
import { Rows, plain, toCsv } from "./rows.js";
import { cell, isNumeric, number } from "./values.js";

/** A row's height in px; style.css takes it from here. */
const ROW_PX = 30;
/** Rows drawn above and below what is in sight, for a scroll that is faster than a frame. */
const AHEAD = 8;
/** No browser makes an element higher than some 17 million px. */
const HEIGHT_PX_MAX = 12_000_000;
/** Rows whose texts decide how wide a column is, and its bounds in characters. */
const SAMPLE = 200;
const CHARACTERS = { min: 7, max: 44, maxOnPhone: 20 };

export class Table {
  /** The columns as text, to tell whether a table still fits. */
  columns;
  #columns;
  #rows;
  #lines = [];
  #parts;
  #asked = 0;
  #onCount;
  #observer = new ResizeObserver(() => this.#soon());

  /** `onCount` is told how many rows there are when that or the filter changes. */
  constructor(columns, onCount) {
    this.#columns = columns;
    this.columns = JSON.stringify(columns);
    this.#rows = new Rows(columns);
    this.#onCount = onCount;
    const heads = columns.map((column) => this.#head(column));
    const widths = columns.map(() => el("col"));
    const copies = el("th", { scope: "col", class: "copies", title: "How often the row stands in the view" },
      el("span", { "aria-hidden": "true" }, "×"), el("span", { class: "hidden-visually" }, "copies"));
    const body = el("tbody");
    const table = el("table", { class: "rows" }, el("colgroup", {}, el("col", { class: "copies" }), ...widths), el("thead", {}, el("tr", { "aria-rowindex": 1 }, copies, ...heads)), body);
    table.style.setProperty("--row", `${ROW_PX}px`);
    const before = el("div", { "aria-hidden": "true" });
    const after = el("div", { "aria-hidden": "true" });
    const spaces = [before, after].map((space) => el("td", {}, space));
    const [above, below] = spaces.map((space) => el("tr", { class: "space", "aria-hidden": "true" }, space));
    this.element = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows", onscroll: () => this.#soon() }, table);
    this.#parts = { heads, widths, body, table, above, below, before, after, spaces };
    this.#observer.observe(this.element);
  }

  close() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#asked);
  }

  /** Takes the whole view. */
  reset(stream) {
    this.#rows.reset(stream.entries());
    this.#setWidths();
    this.#count();
  }

  /** Takes a change. */
  apply(change) {
    this.#rows.apply(change, performance.now());
    this.#count();
  }

  filter(text) {
    this.#rows.filterBy(text);
    this.element.scrollTop = 0;
    this.#count();
  }

  csv() {
    return toCsv(this.#columns, this.#rows);
  }

  #head(column) {
    const button = el("button", { type: "button", onclick: () => {
      this.#rows.sortBy(column.name);
      this.element.scrollTop = 0;
      this.#soon();
    } }, column.name);
    return el("th", { scope: "col", class: isNumeric(column) ? "number" : null, title: column.type }, button, el("small", {}, ` ${column.type}`));
  }

  #count() {
    const { length, distinct, copies, isFiltered } = this.#rows;
    const { table, spaces } = this.#parts;
    table.classList.toggle("has-copies", copies !== distinct);
    // A cell may span no column that is not shown: it would make one.
    for (const space of spaces) space.colSpan = this.#columns.length + Number(copies !== distinct);
    const all = copies === distinct ? `${number(copies)} rows` : `${number(copies)} rows, ${number(distinct)} different ones`;
    this.#onCount(isFiltered ? `${number(length)} of ${all}` : all);
    this.#soon();
  }

  /** Columns as wide as a sample of their texts: what comes into sight must not move them. */
  #setWidths() {
    const { widths, table } = this.#parts;
    // One long text must not push the other columns off a narrow screen.
    const limit = matchMedia("(max-width: 600px)").matches ? CHARACTERS.maxOnPhone : CHARACTERS.max;
    let sum = this.#rows.copies === this.#rows.distinct ? 0 : 6;
    this.#columns.forEach((column, at) => {
      // The type stands in small letters, and there is a sign of the order.
      let most = column.name.length + Math.ceil(column.type.length * 0.6) + 2;
      for (let index = 0; index < Math.min(SAMPLE, this.#rows.length); index += 1) most = Math.max(most, cell(this.#rows.at(index).row[column.name], column).length);
      const characters = Math.min(limit, Math.max(CHARACTERS.min, most)) + 2;
      widths[at].style.width = `${characters}ch`;
      sum += characters;
    });
    table.style.minWidth = `${sum}ch`;
  }

  #soon() {
    this.#asked ||= requestAnimationFrame(() => {
      this.#asked = 0;
      this.#draw();
    });
  }

  /** Which rows are in sight, and the height of what stands before and after them. */
  #sight() {
    const { scrollTop, clientHeight } = this.element;
    const total = this.#rows.length;
    const height = Math.min(total * ROW_PX, HEIGHT_PX_MAX);
    const shown = Math.min(total, Math.ceil(clientHeight / ROW_PX) + 2 * AHEAD);
    const span = Math.max(1, height - clientHeight);
    // Beyond the highest element, the scroll bar stands for more rows than it has px.
    const exact = height === total * ROW_PX ? scrollTop / ROW_PX : (Math.min(scrollTop, span) / span) * (total - clientHeight / ROW_PX);
    const first = Math.max(0, Math.min(total - shown, Math.floor(exact) - AHEAD));
    const before = height === total * ROW_PX ? first * ROW_PX : Math.max(0, scrollTop - (exact - first) * ROW_PX);
    return { first, shown, before, after: Math.max(0, height - before - shown * ROW_PX), total };
  }

  #draw() {
    const { body, table, above, below, before, after, heads } = this.#parts;
    const sight = this.#sight();
    while (this.#lines.length < sight.shown) this.#lines.push(this.#line());
    this.#lines.length = sight.shown;
    if (body.childElementCount !== sight.shown + 2) body.replaceChildren(above, ...this.#lines.map(({ node }) => node), below);
    before.style.height = `${sight.before}px`;
    after.style.height = `${sight.after}px`;
    this.#lines.forEach((line, at) => this.#fill(line, sight.first + at));
    table.setAttribute("aria-rowcount", sight.total + 1);
    const { name, sign } = this.#rows.sort;
    heads.forEach((head, at) => head.setAttribute("aria-sort", this.#columns[at].name !== name ? "none" : sign > 0 ? "ascending" : "descending"));
  }

  #line() {
    const copies = el("td", { class: "copies" });
    const cells = this.#columns.map(() => el("td"));
    return { node: el("tr", {}, copies, ...cells), copies, cells, entry: null, flash: null };
  }

  #fill(line, index) {
    const entry = this.#rows.at(index);
    line.node.setAttribute("aria-rowindex", index + 2);
    setText(line.copies, entry.count > 1 ? `×${number(entry.count)}` : "");
    if (line.entry !== entry) {
      line.entry = entry;
      line.flash?.cancel();
      this.#columns.forEach((column, at) => {
        const value = entry.row[column.name] ?? null;
        const node = line.cells[at];
        const text = cell(value, column);
        setText(node, text);
        node.className = value === null ? "null" : isNumeric(column) ? "number" : "";
        node.title = text.length > CHARACTERS.max ? plain(value) : "";
      });
    }
    if (entry.changedAt > 0) line.flash = glide(line.node, { backgroundColor: "var(--flash)" }, { backgroundColor: "transparent" }, 1200);
    entry.changedAt = 0;
  }
}

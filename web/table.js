// Any view as a table: its first rows in the chosen order, however many it has.
import { arrange, el, glide, setText } from "./dom.js";
import { cell, isNumeric, number } from "./values.js";

/** Rows in the document at the start, and how many more each "Show more" brings. */
const ROWS_SHOWN = 50;
/** Rows in the document at most; more of them make every browser slow. */
const ROWS_SHOWN_MAX = 1_000;
/** Sorting many thousand rows at every tick would take the frame rate down, in ms. */
const REDRAW_MS_MIN = 900;
const BIG_ROWS = 2_000;

const collator = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(typeof a === "object" ? JSON.stringify(a) : a, typeof b === "object" ? JSON.stringify(b) : b);
}

export class Table {
  #columns;
  #changed;
  #sort;
  #shown = ROWS_SHOWN;
  #filter = "";
  /** Row text -> its tr, so that a row keeps its element while it stands in the view. */
  #lines = new Map();
  #parts;
  #drawnAt = 0;
  #timer = null;
  #everDrawn = false;

  /** `changed` is called when the reader changes what is shown. */
  constructor(columns, changed) {
    this.#columns = columns;
    this.#changed = () => {
      this.#drawnAt = 0;
      changed();
    };
    // A count is most telling from the top; anything else reads best from A.
    const measure = columns.find(({ name }) => name === "count" || name === "edits") ?? columns.findLast(isNumeric);
    this.#sort = measure ? { name: measure.name, sign: -1 } : { name: columns[0]?.name, sign: 1 };
    const heads = columns.map((column) => this.#head(column));
    const body = el("tbody");
    const count = el("p", { class: "count" });
    const filter = el("input", { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows", spellcheck: "false",
      oninput: ({ target }) => { this.#filter = target.value.toLowerCase(); this.#changed(); } });
    const more = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => { this.#shown *= 2; this.#changed(); } }, "Show more");
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
    this.#parts = { heads, body, count, more };
    this.element = el("div", { class: "table" }, el("div", { class: "table-tools" }, filter, count, more), scroll);
  }

  #head(column) {
    const button = el("button", { type: "button", onclick: () => {
      const { name, sign } = this.#sort;
      this.#sort = { name: column.name, sign: name === column.name ? -sign : isNumeric(column) ? -1 : 1 };
      this.#changed();
    } }, column.name);
    return el("th", { scope: "col", class: isNumeric(column) ? "number" : null, title: column.type }, button);
  }

  draw(stream) {
    const wait = this.#drawnAt + REDRAW_MS_MIN - performance.now();
    if (stream.size > BIG_ROWS && this.#drawnAt > 0 && wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.draw(stream);
      }, wait);
      return;
    }
    this.#drawnAt = performance.now();
    let entries = [...stream.entries()];
    const { name, sign } = this.#sort;
    if (this.#filter !== "") entries = entries.filter(([row]) => this.#matches(row));
    entries.sort(([a], [b]) => sign * compare(a[name], b[name]));
    const shown = Math.min(this.#shown, ROWS_SHOWN_MAX);
    const lines = new Map();
    for (const [row, times] of entries.slice(0, shown)) {
      const key = `${times} ${JSON.stringify(row)}`;
      lines.set(key, this.#lines.get(key) ?? this.#line(row, times));
    }
    arrange(this.#parts.body, [...lines.values()]);
    this.#lines = lines;
    this.#everDrawn = true;
    this.#parts.heads.forEach((head, index) => {
      const isSorted = this.#columns[index].name === name;
      head.setAttribute("aria-sort", isSorted ? (sign > 0 ? "ascending" : "descending") : "none");
    });
    const of = this.#filter === "" ? `${number(stream.size)} rows` : `${number(entries.length)} matching rows`;
    setText(this.#parts.count, entries.length > lines.size ? `${number(lines.size)} of ${of}` : of);
    this.#parts.more.hidden = entries.length <= shown || shown >= ROWS_SHOWN_MAX;
  }

  #matches(row) {
    return this.#columns.some((column) => cell(row[column.name], column).toLowerCase().includes(this.#filter));
  }

  #line(row, times) {
    const cells = this.#columns.map((column) => {
      const value = row[column.name] ?? null;
      const kind = value === null ? "null" : isNumeric(column) ? "number" : null;
      return el("td", { class: kind }, cell(value, column));
    });
    if (times > 1) cells.at(-1)?.append(el("span", { class: "times", title: `${times} equal rows` }, ` ×${number(times)}`));
    const line = el("tr", {}, ...cells);
    if (this.#everDrawn) glide(line, { backgroundColor: "var(--flash)" }, { backgroundColor: "transparent" }, 1200);
    return line;
  }
}

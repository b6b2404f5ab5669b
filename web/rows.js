// A view's rows in the reader's order, filtered: the part of a table that
// needs no document. A change costs a pass over the rows, never a sort.
import { isNumeric, isOrdered } from "./values.js";

const collator = new Intl.Collator();

/** A cell's text to search in and to copy: exact, whatever the locale writes. */
export function plain(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function valueOf(value, numeric) {
  if (value === null || value === undefined) return null;
  return numeric ? Number(value) : plain(value);
}

/** NaN is above all numbers, as in SQL; NULL is last in either direction. */
function compareValues(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "string") return sign * collator.compare(a, b);
  return sign * (a === b ? 0 : (Number.isNaN(a) - Number.isNaN(b)) || a - b);
}

export class Rows {
  #columns;
  /** A row's text -> {row, count, key, value, text, changedAt}. */
  #entries = new Map();
  /** The entries that match the filter, in order. */
  #order = [];
  #sort;
  #needle = "";
  #copies = 0;

  constructor(columns) {
    this.#columns = columns;
    // A count is most telling from the top; anything else reads best from A.
    const measure = columns.find(({ name }) => name === "count" || name === "edits") ?? columns.findLast(isNumeric);
    this.#sort = { column: measure ?? columns[0], sign: measure ? -1 : 1 };
  }

  get sort() { return { name: this.#sort.column?.name, sign: this.#sort.sign }; }
  /** Distinct rows that match the filter. */
  get length() { return this.#order.length; }
  /** Distinct rows in all, and rows with their copies. */
  get distinct() { return this.#entries.size; }
  get copies() { return this.#copies; }
  get isFiltered() { return this.#needle !== ""; }
  at(index) { return this.#order[index]; }

  /** Orders by a column; by the same one again, the other way round. */
  sortBy(name) {
    const column = this.#columns.find((each) => each.name === name);
    const sign = this.#sort.column === column ? -this.#sort.sign : isNumeric(column) ? -1 : 1;
    this.#sort = { column, sign };
    for (const entry of this.#entries.values()) this.#prepare(entry);
    this.#order.sort(this.#compare);
  }

  filterBy(needle) {
    const before = this.#needle;
    this.#needle = needle.trim().toLowerCase();
    // More letters can only take rows away, and what is left is in order.
    if (before !== "" && this.#needle.includes(before)) this.#order = this.#order.filter((entry) => this.#matches(entry));
    else this.#order = [...this.#entries.values()].filter((entry) => this.#matches(entry)).sort(this.#compare);
  }

  /** Takes the whole view: pairs of a row and its multiplicity. */
  reset(pairs) {
    this.#entries = new Map();
    this.#copies = 0;
    for (const [row, count] of pairs) this.#add(row, count, 0);
    this.#order = [...this.#entries.values()].filter((entry) => this.#matches(entry)).sort(this.#compare);
  }

  /** Takes a change; what came is marked with `now`. */
  apply({ inserted, deleted }, now) {
    const gone = new Set();
    const come = new Set();
    for (const row of deleted) {
      const entry = this.#add(row, -1, now);
      if (entry.count === 0) gone.add(entry);
    }
    for (const row of inserted) {
      const before = this.#entries.size;
      const entry = this.#add(row, 1, now);
      if (this.#entries.size > before) come.add(entry);
    }
    const stay = gone.size === 0 ? this.#order : this.#order.filter((entry) => !gone.has(entry));
    this.#order = this.#merge(stay, [...come].filter((entry) => this.#matches(entry)).sort(this.#compare));
  }

  #add(row, diff, now) {
    const key = JSON.stringify(row);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { row, count: 0, key, value: null, text: null, changedAt: now };
      this.#prepare(entry);
      this.#entries.set(key, entry);
    }
    entry.count += diff;
    entry.changedAt = now;
    this.#copies += diff;
    if (entry.count === 0) this.#entries.delete(key);
    return entry;
  }

  #prepare(entry) {
    const { column } = this.#sort;
    entry.value = column === undefined ? null : valueOf(entry.row[column.name], isOrdered(column));
  }

  #compare = (a, b) => compareValues(a.value, b.value, this.#sort.sign) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

  #merge(stay, come) {
    if (come.length === 0) return stay;
    const merged = [];
    let at = 0;
    for (const entry of come) {
      // Where it belongs, by halving; what is before is taken over as it is.
      let [low, high] = [at, stay.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.#compare(stay[middle], entry) < 0) low = middle + 1;
        else high = middle;
      }
      for (; at < low; at += 1) merged.push(stay[at]);
      merged.push(entry);
    }
    for (; at < stay.length; at += 1) merged.push(stay[at]);
    return merged;
  }

  #matches(entry) {
    if (this.#needle === "") return true;
    entry.text ??= this.#columns.map(({ name }) => plain(entry.row[name])).join("\n").toLowerCase();
    return entry.text.includes(this.#needle);
  }
}

/** A text that a spreadsheet would take for a formula and run; a number is none. */
const FORMULA = /^[=+\-@\t\r](?!\d*\.?\d+$)/;

/** The rows as CSV (RFC 4180), in order, each as often as it stands in the view. */
export function toCsv(columns, rows) {
  const quote = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [columns.map(({ name }) => quote(name)).join(",")];
  for (let index = 0; index < rows.length; index += 1) {
    const { row, count } = rows.at(index);
    // NULL is nothing, the empty string is "". A formula becomes a text, by the sign that spreadsheets have for that.
    const line = columns.map(({ name }) => (row[name] === "" ? '""' : quote(plain(row[name]).replace(FORMULA, "'$&")))).join(",");
    for (let copy = 0; copy < count; copy += 1) lines.push(line);
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** Longer data is not parsed a second time for who looks on, in characters. */
const PARSED_MAX = 200_000;
/** What stays of a row while its numbers change. */
const sameAs = (row) => JSON.stringify(Object.entries(row).filter(([, value]) => typeof value !== "number"));

function textOf(row, before = row) {
  const shown = (value) => plain(value) || "∅";
  return Object.entries(row).map(([name, value]) => (shown(before[name]) === shown(value) ? shown(value) : `${shown(before[name])} → ${shown(value)}`)).join(" · ");
}

/** The rows of an event as [sign, text]: "+" for one that came, "-" for one that went, "~" for one whose numbers changed. */
export function changesOf(type, data) {
  if (data.length > PARSED_MAX || !/^(base|delta)$/.test(type)) return [];
  const rows = JSON.parse(data);
  if (type === "base") return rows.map((row) => ["+", textOf(row)]);
  const gone = new Map();
  for (const { delete: row } of rows) if (row !== undefined) gone.set(sameAs(row), [...(gone.get(sameAs(row)) ?? []), row]);
  const come = rows.filter(({ insert }) => insert !== undefined).map(({ insert: row }) => {
    const before = gone.get(sameAs(row))?.shift();
    return before === undefined ? ["+", textOf(row)] : ["~", textOf(row, before)];
  });
  return [...[...gone.values()].flat().map((row) => ["-", textOf(row)]), ...come];
}

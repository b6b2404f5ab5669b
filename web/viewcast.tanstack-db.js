/**
 * TanStack DB: a collection that follows a view, or with `syncMode: "on-demand"` those windows of it that live queries
 * ask for.
 */
import { ViewStream } from "./viewcast.js";

/** A window is kept so long after the last query that asked for it: one that comes back at once finds it. */
const LINGER_MS = 5_000;

/** Options for `createCollection`. */
export function viewcastCollectionOptions({ url, key, stream: streamOptions, filterable = [], ...config }) {
  const columns = [key].flat();
  const valuesOf = (row) => columns.map((column) => row[column]);
  const getKey = (row) => (columns.length > 1 ? JSON.stringify(valuesOf(row)) : row[columns[0]]);
  /** Those that are open. */
  const streams = new Set();
  const utils = { until: (position) => Promise.all([...streams].map((stream) => stream.until(position))) };

  const sync = ({ begin, write, commit, markReady, markError }) => {
    /** Keys of the rows that the collection has. */
    const known = new Set();
    const windows = new Map();

    /** Tells what rows of these keys are now: those of this stream, or else of another one. */
    const tell = (stream, rows) => {
      begin();
      for (const [id, row] of new Map(rows.map((each) => [getKey(each), each]))) {
        const value = [stream, ...streams].filter((each) => streams.has(each)).map((each) => each.get(valuesOf(row))).find(Boolean);
        if (value) write({ type: known.has(id) ? "update" : "insert", value });
        else if (known.has(id)) write({ type: "delete", key: id });
        known[value ? "add" : "delete"](id);
      }
      commit();
    };

    const open = (filter) => {
      const stream = new ViewStream(url, { ...streamOptions, key, filter: { ...streamOptions?.filter, ...filter } });
      streams.add(stream);
      const follow = ({ detail: { inserted, deleted, updated } }) => tell(stream, [...deleted, ...inserted, ...updated.map(({ after }) => after)]);
      stream.addEventListener("base", follow);
      stream.addEventListener("change", follow);
      return stream;
    };

    const close = (stream) => {
      stream.close();
      streams.delete(stream);
    };

    const cleanup = () => {
      for (const { timer } of windows.values()) clearTimeout(timer);
      for (const stream of streams) close(stream);
    };

    if (config.syncMode !== "on-demand") {
      const stream = open({});
      stream.addEventListener("base", markReady);
      stream.addEventListener("status", ({ detail: { error } }) => { if (error?.permanent) markError(Object.assign(new Error(error.message), error)); });
      return cleanup;
    }
    markReady();

    const loadSubset = ({ where }) => {
      const filter = filterOf(where, filterable);
      const text = textOf(filter);
      const window = windows.get(text) ?? { stream: open(filter), readers: 0 };
      windows.set(text, window);
      window.readers += 1;
      clearTimeout(window.timer);
      return window.stream.ready.then(() => {});
    };

    const unloadSubset = ({ where }) => {
      const text = textOf(filterOf(where, filterable));
      const window = windows.get(text);
      if (window === undefined || (window.readers -= 1) > 0) return;
      window.timer = setTimeout(() => {
        windows.delete(text);
        close(window.stream);
        tell(window.stream, window.stream.rows());
      }, LINGER_MS);
      window.timer.unref?.();
    };

    return { cleanup, loadSubset, unloadSubset };
  };
  return { ...config, getKey, utils, sync: { sync, rowUpdateMode: "full" } };
}

const textOf = (filter) => JSON.stringify(Object.entries(filter).sort(), (_, value) => (typeof value === "bigint" ? `${value}n` : value));

/**
 * What of a query's conditions the gateway can be asked for. The others are passed over: that loads more rows than are
 * wanted, of which the query takes its own.
 */
function filterOf(where, filterable) {
  const filter = {};
  const read = ({ name, args = [] } = {}) => {
    if (name === "and") return args.forEach(read);
    const [column, condition] = conditionOf(name, args);
    if (condition !== undefined && filterable.includes(column) && !Object.hasOwn(filter, column)) filter[column] = condition;
  };
  read(where);
  return filter;
}

const isScalar = (value) => ["string", "number", "bigint", "boolean"].includes(typeof value);

/** [column, condition] of a comparison; without a condition where there is none that says the same. */
function conditionOf(name, args) {
  if (name === "not") {
    const [{ name: inner, args: its = [] }] = args;
    const [column, condition] = inner === "not" ? [] : conditionOf(inner, its);
    // SQL's NULL is in no list and not in it; a query's null is not in it.
    return [column, condition === null ? { not: null } : undefined];
  }
  const [{ type, path = [] } = {}, { value } = {}] = args;
  if (type !== "ref" || path.length !== 1) return [];
  const [column] = path;
  if (name === "isNull") return [column, null];
  if (name === "eq" && isScalar(value)) return [column, value];
  if (name === "in" && Array.isArray(value) && value.every(isScalar)) return [column, value];
  return [column];
}

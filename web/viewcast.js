/**
 * viewcast: a Materialize view, live in JavaScript.
 *
 * One file, no dependency, no build step: an ES module for browsers and for
 * Node 20+, Deno and Bun (given an EventSource). It follows the client rules
 * C1-C3 of docs/PROTOCOL.md, and its types stand in viewcast.d.ts.
 *
 *     const view = new ViewStream("/top10/stream");
 *     view.addEventListener("change", () => console.table(view.rows()));
 *
 * A row's identity is its JSON *text*, cut out of the event as it came (P4),
 * not the parsed value: JSON.parse makes 1.0 and 1, 0 and -0 one number and
 * puts integer-like keys first, so going through values could take two
 * different rows for one.
 */

/** The wire's names; the same ones stand in src/relay/frame.rs. */
export const WIRE = Object.freeze({
  ...{ base: "base", delta: "delta", upstream: "upstream", gone: "gone" }, // events
  ...{ insert: "insert", delete: "delete", lost: "lost", live: "live" }, // inside them
  lastEventId: "last-event-id", // query parameter
});

/** Two heartbeats (15 s) may get lost, and a slow network has 10 s more. */
const STALE_AFTER_MS = 40_000;
/** Changes kept while the base has not come; more of them than this cost more than asking anew. */
const BUFFERED_CHANGES_MAX = 200_000;
/** Our own reconnects, where EventSource has given up: from, up to, in ms. */
const REOPEN_MS_MIN = 1_000;
const REOPEN_MS_MAX = 30_000;
/** EventSource.CLOSED; the constant is missing from some implementations. */
const CLOSED = 2;
const PAGE_EVENTS = ["pagehide", "pageshow"];

/** The end of the JSON string that opens at `at`: the next quote that is not escaped. */
function stringEnd(text, at) {
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let first = at;
    while (text[first - 1] === "\\") first -= 1;
    if ((at - first) % 2 === 0) return at;
  }
}

/** The texts of all values at one depth of a JSON text that is known to be valid. */
function cut(text, level) {
  // Engines share a slice's memory with its whole: without this copy one
  // surviving row would keep the whole event it came in.
  const copy = (start, end) => ` ${text.slice(start, end)}`.slice(1);
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = stringEnd(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth === level) start = at;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === level) parts.push(copy(start, at + 1));
        depth -= 1;
    }
  }
  return parts;
}

/** Adds `diff` copies of a row to a Map(text -> {row, count}); what comes to zero leaves it. */
function add(rows, text, row, diff) {
  const entry = rows.get(text);
  if (entry === undefined) rows.set(text, { row, count: diff });
  else if ((entry.count += diff) === 0) rows.delete(text);
}

/** An event's data -> Map(text -> {row, count}), rows being `level` deep and `read` giving [row, diff]. */
function parse(data, level, read) {
  const parsed = JSON.parse(data);
  const texts = cut(data, level);
  if (!Array.isArray(parsed) || texts.length !== parsed.length) throw new Error("data is not an array of rows or changes");
  const rows = new Map();
  parsed.forEach((element, index) => add(rows, texts[index], ...read(element)));
  return rows;
}
const parseBase = (data) => parse(data, 2, (row) => [row, 1]);
const parseDelta = (data) =>
  parse(data, 3, (change) => {
    const inserts = Object.hasOwn(change, WIRE.insert);
    if (inserts === Object.hasOwn(change, WIRE.delete)) throw new Error("change is neither an insert nor a delete");
    return inserts ? [change[WIRE.insert], 1] : [change[WIRE.delete], -1];
  });

/** `<timestamp>-<incarnation>` -> its parts. BigInt, since timestamps have up to 20 digits. */
function parsePosition(id) {
  const match = /^(\d{1,20})-(.+)$/s.exec(id);
  if (match === null) throw new Error(`position "${id}" is not <timestamp>-<incarnation>`);
  return { id, timestamp: BigInt(match[1]), incarnation: match[2] };
}

function repeat(list, row, times) {
  for (let n = 0; n < times; n += 1) list.push(row);
}

/** The detail of a `change` event. With key columns, a delete and an insert of one key are an update. */
function describe(changes, position, key) {
  const detail = { inserted: [], deleted: [], position };
  for (const { row, count } of changes.values()) repeat(count > 0 ? detail.inserted : detail.deleted, row, Math.abs(count));
  if (key === null) return detail;
  const keyOf = (row) => JSON.stringify(key.map((column) => row[column]));
  const before = new Map(detail.deleted.map((row) => [keyOf(row), []]));
  for (const row of detail.deleted) before.get(keyOf(row)).push(row);
  detail.updated = [];
  detail.inserted = detail.inserted.filter((after) => {
    const old = before.get(keyOf(after))?.shift();
    if (old !== undefined) detail.updated.push({ before: old, after });
    return old === undefined;
  });
  detail.deleted = [...before.values()].flat();
  return detail;
}

/** One `for await` loop: what changed since it last asked, as one consolidated change. */
class Changes {
  #pending = new Map();
  #wake = null;
  #ended = false;

  add(text, row, diff) { add(this.#pending, text, row, diff); }
  moved() { if (this.#pending.size > 0) this.#wake?.(); }
  end() { this.#ended = true; this.#wake?.(); }
  /** The changes, or null at the end. */
  async take() {
    while (this.#pending.size === 0 && !this.#ended) await new Promise((resolve) => (this.#wake = resolve));
    const taken = this.#pending;
    this.#pending = new Map();
    return taken.size > 0 ? taken : null;
  }
}

export class ViewStream extends EventTarget {
  #url; #options; #key; #staleAfterMs;
  #source = null;
  /** Text -> {row, count}: the view at #position, #size rows with their multiplicities. */
  #rows = new Map(); #size = 0; #position = null;
  /** Deltas wait in #buffer for a base: at the start, and when a delta is of another incarnation. */
  #awaitingBase = true; #buffer = []; #bufferedChanges = 0;
  #status = "connecting"; #reason = "";
  /** The gateway said that it lost Materialize: heartbeats go on, but tell nothing about the data. */
  #upstreamLost = false;
  #staleTimer; #reopenTimer; #failures = 0; #paused = false;
  #loops = new Set();
  /** The listener on the page's coming and going, in a browser. */
  #page = null;

  constructor(url, options = {}) {
    super();
    const { key = null, staleAfterMs = STALE_AFTER_MS } = options;
    if (typeof (options.EventSource ?? globalThis.EventSource) !== "function") {
      throw new TypeError('no EventSource here: pass one as an option, e.g. from the npm package "eventsource"');
    }
    this.#url = String(url);
    this.#options = options;
    this.#key = key === null ? null : [key].flat();
    this.#staleAfterMs = staleAfterMs;
    this.#watchPage();
    this.#open(false);
  }

  get size() { return this.#size; }
  get position() { return this.#position?.id ?? null; }
  get timestamp() { return this.#position?.timestamp ?? null; }
  get status() { return this.#status; }
  get reason() { return this.#reason; }

  rows() {
    const rows = [];
    for (const { row, count } of this.#rows.values()) repeat(rows, row, count);
    const { sort, limit } = this.#options;
    if (sort) rows.sort(sort);
    return limit === undefined ? rows : rows.slice(0, limit);
  }

  *entries() { for (const { row, count } of this.#rows.values()) yield [row, count]; }

  /** Each loop begins with the rows that stand, so that its changes always add up to the view. */
  async *[Symbol.asyncIterator]() {
    const loop = new Changes();
    for (const [text, { row, count }] of this.#rows) loop.add(text, row, count);
    if (this.#status === "closed") loop.end();
    this.#loops.add(loop);
    try {
      for (let changes; (changes = await loop.take()) !== null; ) yield describe(changes, this.position, this.#key);
    } finally {
      this.#loops.delete(loop);
    }
  }

  pause() {
    if (this.#status === "closed" || this.#paused) return;
    this.#paused = true;
    this.#drop();
    this.#setStatus("stale", "paused");
  }

  resume() {
    if (this.#status === "closed" || !this.#paused) return;
    this.#paused = false;
    this.#setStatus("connecting", "");
    this.#open(true);
  }

  close() {
    if (this.#status === "closed") return;
    this.#drop();
    for (const type of PAGE_EVENTS) globalThis.removeEventListener?.(type, this.#page);
    this.#setStatus("closed", "");
    for (const loop of this.#loops) loop.end();
  }

  /** An open connection keeps a page out of the back/forward cache: let go of it, come back on return. */
  #watchPage() {
    if (typeof globalThis.document === "undefined") return;
    let left = false;
    this.#page = ({ type }) => {
      if (type === "pageshow" && left) this.resume();
      left = type === "pagehide" && !this.#paused;
      if (left) this.pause();
    };
    for (const type of PAGE_EVENTS) globalThis.addEventListener(type, this.#page);
  }

  /** Lets go of the connection and its timers. */
  #drop() {
    clearTimeout(this.#staleTimer);
    clearTimeout(this.#reopenTimer);
    this.#source?.close();
    this.#source = null;
  }

  /** Opens a connection: one that goes on after the position held, or one that begins with a base. */
  #open(resume) {
    const { EventSource = globalThis.EventSource, withCredentials = false } = this.#options;
    this.#drop();
    [this.#buffer, this.#bufferedChanges] = [[], 0];
    const from = resume && this.#position !== null ? this.#position.id : "";
    this.#awaitingBase = from === "";
    const [path, hash] = this.#url.split("#", 2);
    const query = `${path.includes("?") ? "&" : "?"}${WIRE.lastEventId}=${encodeURIComponent(from)}`;
    const source = new EventSource(`${path}${from && query}${hash === undefined ? "" : `#${hash}`}`, { withCredentials });
    this.#source = source;
    const listen = (name, handle) => source.addEventListener(name, (event) => source === this.#source && handle(event));
    // The gateway says again that it has lost its upstream, if that is still so.
    listen("open", () => { this.#upstreamLost = false; this.#heard(); });
    listen("error", () => this.#onError(source));
    listen(WIRE.base, (event) => this.#checked(event, () => this.#onBase(event)));
    listen(WIRE.delta, (event) => this.#checked(event, () => this.#onDelta(event)));
    listen(WIRE.upstream, (event) => this.#onUpstream(event));
    listen(WIRE.gone, (event) => this.#checked(event, () => this.#setStatus("gone", JSON.parse(event.data).reason)));
    this.#heard();
  }

  /** EventSource comes back by itself from a broken connection, but not from a wrong answer. */
  #onError(source) {
    // It comes back with the last id it saw; if that was a delta's before its
    // base, the gateway would go on from there and the base would never come.
    const baseIsMissing = this.#awaitingBase && this.#buffer.length > 0;
    if (source.readyState === CLOSED || baseIsMissing) this.#reopen(!this.#awaitingBase);
    if (this.#status !== "gone") this.#setStatus("connecting", "connection lost");
  }

  /** Opens anew after a while: longer each time, and at random, so that a fleet does not come at once. */
  #reopen(resume) {
    this.#drop();
    const ceiling = Math.min(REOPEN_MS_MAX, REOPEN_MS_MIN * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#reopenTimer = setTimeout(() => this.#open(resume), ceiling * (0.5 + Math.random() / 2));
  }

  /** Runs a handler; data that breaks the contract asks for a fresh base and never makes a wrong table. */
  #checked(event, handle) {
    this.#heard();
    try {
      handle();
    } catch (error) {
      this.#reopen(false);
      this.#setStatus("stale", error.message);
      this.#emit("error", { message: error.message, position: event.lastEventId });
    }
  }

  #onBase(event) {
    const position = parsePosition(event.lastEventId);
    const rows = parseBase(event.data);
    for (const loop of this.#loops) {
      for (const [text, { row, count }] of this.#rows) loop.add(text, row, -count);
      for (const [text, { row, count }] of rows) loop.add(text, row, count);
    }
    [this.#rows, this.#size] = [rows, 0];
    for (const { count } of rows.values()) this.#size += count;
    [this.#position, this.#awaitingBase, this.#bufferedChanges] = [position, false, 0];
    const buffer = this.#buffer.splice(0);
    this.#fresh();
    this.#emit("base", { size: this.#size, position: position.id });
    for (const loop of this.#loops) loop.moved();
    for (const delta of buffer) {
      // A listener may have called close() or pause() meanwhile.
      if (this.#source !== null) this.#apply(delta.position, delta.changes);
    }
  }

  #onDelta(event) {
    const position = parsePosition(event.lastEventId);
    const changes = parseDelta(event.data);
    // Another incarnation is another view: its deltas say nothing about the rows held.
    this.#awaitingBase ||= position.incarnation !== this.#position.incarnation;
    if (!this.#awaitingBase) return this.#apply(position, changes);
    this.#keep(position, changes);
    if (this.#status === "live") this.#setStatus("stale", "waiting for a base");
  }

  /** C1: keeps a delta until the base is there. */
  #keep(position, changes) {
    const last = this.#buffer.at(-1);
    if (last?.position.incarnation !== position.incarnation) [this.#buffer, this.#bufferedChanges] = [[], 0];
    else if (position.timestamp <= last.position.timestamp) return;
    // Which of them the base holds already is not known yet, so those with
    // changes stay apart; of a run of empty ones the last one tells all.
    else if (last.changes.size === 0) this.#buffer.pop();
    this.#buffer.push({ position, changes });
    this.#bufferedChanges += changes.size;
    if (this.#bufferedChanges > BUFFERED_CHANGES_MAX) throw new Error("base did not come");
  }

  /** C1 and C2: applies a delta above the position, all of it or, where a row to delete is absent, nothing. */
  #apply(position, changes) {
    const known = this.#position;
    if (position.incarnation !== known.incarnation) return;
    const above = position.timestamp > known.timestamp;
    if (above) {
      this.#add(changes);
      this.#position = position;
      this.#upstreamLost = false;
    }
    this.#failures = 0;
    this.#fresh();
    if (above && changes.size > 0) this.#emit("change", describe(changes, position.id, this.#key));
    else this.#emit("heartbeat", { position: this.position });
    for (const loop of this.#loops) loop.moved();
  }

  #add(changes) {
    for (const [text, { count }] of changes) {
      if (count < 0 && (this.#rows.get(text)?.count ?? 0) < -count) throw new Error("delta deletes a row that is not there");
    }
    for (const [text, { row, count }] of changes) {
      add(this.#rows, text, row, count);
      this.#size += count;
      for (const loop of this.#loops) loop.add(text, row, count);
    }
  }

  #onUpstream(event) {
    this.#heard();
    const state = event.data.trim().replace(/^"(.*)"$/, "$1");
    if (state !== WIRE.lost && state !== WIRE.live) return;
    this.#upstreamLost = state === WIRE.lost;
    if (this.#status === "gone") return;
    if (this.#upstreamLost) this.#setStatus("stale", "upstream lost");
    else if (!this.#awaitingBase) this.#setStatus("live", "");
  }

  /** A sign of life; without the next one the connection is taken for dead, whatever TCP thinks of it. */
  #heard() {
    clearTimeout(this.#staleTimer);
    // Longer after each failure, for a base that takes long to come.
    const allowedMs = this.#staleAfterMs * 2 ** Math.min(this.#failures, 5);
    this.#staleTimer = setTimeout(() => {
      if (this.#status === "live") this.#setStatus("stale", "nothing heard");
      this.#failures += 1;
      this.#open(!this.#awaitingBase);
    }, allowedMs);
    this.#staleTimer.unref?.();
  }

  /** What is held is what the gateway holds. */
  #fresh() { this.#setStatus(...(this.#upstreamLost ? ["stale", "upstream lost"] : ["live", ""])); }

  #setStatus(status, reason) {
    if (this.#status === "closed" || (status === this.#status && reason === this.#reason)) return;
    [this.#status, this.#reason] = [status, reason];
    this.#emit("status", { status, reason });
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

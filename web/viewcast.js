/** viewcast: Materialize views, live (docs/PROTOCOL.md, viewcast.d.ts). A row's identity is its text (P4). */
/** As in src/relay/event/names.rs. */
export const WIRE = Object.freeze({
  base: "base", delta: "delta", upstream: "upstream", gone: "gone", consistent: "consistent",
  insert: "insert", delete: "delete", lost: "lost", live: "live", position: "position",
  lastEventId: "last-event-id",
});

/** Two heartbeats of 15 s, and 10 s more. */
const STALE_AFTER_MS = 40_000;
/** Net changes kept for a base; more cost more than asking anew. */
const BUFFERED_CHANGES_MAX = 200_000;
/** Characters kept for a view of several that is paused; beyond them it asks anew. */
const KEPT_LENGTH_MAX = 16_000_000;
/** So many more than the last net effect are added up. */
const COMPACT_AFTER = 10_000;
const REOPEN_MS_MIN = 1_000;
const REOPEN_MS_MAX = 30_000;
/** EventSource.CLOSED */
const CLOSED = 2;
/** The option with the source of one view of several. */
const FEED = Symbol();
const PAGE_EVENTS = ["pagehide", "pageshow"];
/** Changes with what tabs and worker say: an old worker may outlive its page. */
const WORKER_NAME = "viewcast-1";
/** Columns that need a prefix. */
const PREFIXED = /^(last.?event.?id|access_token|view|select)$|\./i;

/** The next quote that is not escaped. */
function stringEnd(text, at) {
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let first = at;
    while (text[first - 1] === "\\") first -= 1;
    if ((at - first) % 2 === 0) return at;
  }
}

/** The texts of all values at one depth. */
function cut(text, level) {
  // A copy: else one row would keep its whole event's text.
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

/** Adds copies of a row to a Map(text -> {row, count}). */
function add(rows, text, row, diff) {
  const entry = rows.get(text);
  if (entry === undefined) rows.set(text, { row, count: diff });
  else if ((entry.count += diff) === 0) rows.delete(text);
}

/** An event's data as such a map; `read` gives [row, diff]. */
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

function parsePosition(id) {
  const match = /^(\d{1,20})-(.+)$/s.exec(id);
  if (match === null) throw new Error(`position "${id}" is not <timestamp>-<incarnation>`);
  return { id, timestamp: BigInt(match[1]), incarnation: match[2] };
}

/** As in paths and events. */
const encode = (name) => encodeURIComponent(name).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);

const refuse = (words) => { throw new TypeError(`option ${words}`); };
const isPlain = (value) => /^(b|n|st)/.test(typeof value) && !/\p{Cs}/u.test(value);
const isList = (value) => Array.isArray(value) && value.every(isPlain);
const listOf = (values) => values.map((it) => (/^[^\s,()"\\*]+$/.test(it) ? it : `"${String(it).replace(/["\\]/g, "\\$&")}"`));

export const parameterOf = (column) => (PREFIXED.test(column) ? `column.${column}` : column);

/** W1 */
function condition(column, value, not) {
  if (value === null || typeof value === "boolean") return `is.${value}`;
  if (isPlain(value)) return `eq.${value}`;
  if (isList(value)) return `in.(${listOf(value)})`;
  if (!not && Object.keys(value ?? {}).join() === "not") return `not.${condition(column, value.not, true)}`;
  refuse(`filter: "${column}" is no value, list, null, boolean or { not: ... }`);
}

/** Its parameters; `view` is "" for the only one. */
function windowOf(view, { filter = {}, select }) {
  if ({}.toString.call(filter) !== "[object Object]") refuse("filter is no object");
  const said = Object.entries(filter).map(([column, value]) => [parameterOf(column), condition(column, value)]);
  if (select !== undefined) said.push(["select", isList(select) && select.length > 0 ? listOf(select) : refuse("select is no list of columns")]);
  return said.map((pair) => `${view && `${encode(view)}.`}${pair.map(encodeURIComponent).join("=")}`);
}

/** With more in its query; what is behind a # is never sent. */
function extended(url, query) {
  const [path] = url.split("#");
  return query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : url;
}

function repeat(list, row, times) {
  for (let n = 0; n < times; n += 1) list.push(row);
}

function textOf(rows) {
  const texts = [];
  for (const [text, { count }] of rows) repeat(texts, text, count);
  return `[${texts}]`;
}

/** As one base, or one delta. */
function merge(base, deltas) {
  if (base === null) return `[${deltas.map((data) => data.slice(1, -1)).filter(Boolean)}]`;
  const rows = parseBase(base);
  for (const data of deltas) for (const [text, { row, count }] of parseDelta(data)) add(rows, text, row, count);
  return textOf(rows);
}

/** A `change`'s detail. */
function describe(changes, position, key) {
  const detail = { inserted: [], deleted: [], position };
  for (const { row, count } of changes.values()) repeat(count > 0 ? detail.inserted : detail.deleted, row, Math.abs(count));
  if (!key) return detail;
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

/** One `for await` loop: what changed since it last asked. */
class Changes {
  #pending = new Map();
  #wake = null;
  #ended = false;

  add(text, row, diff) { add(this.#pending, text, row, diff); }
  moved() { if (this.#pending.size > 0) this.#wake?.(); }
  end() { this.#ended = true; this.#wake?.(); }
  async take() {
    while (this.#pending.size === 0 && !this.#ended) await new Promise((resolve) => (this.#wake = resolve));
    const taken = this.#pending;
    this.#pending = new Map();
    return taken.size > 0 ? taken : null;
  }
}

/** What looks like an EventSource. */
class Source extends EventTarget {
  readyState = 0;
  close() { this.readyState = CLOSED; }
  fail() {
    if (this.readyState === CLOSED) return;
    this.close();
    this.dispatchEvent(new Event("error"));
  }
  tell(type, fields = {}) {
    if (this.readyState === CLOSED) return;
    if (type === "open") this.readyState = 1;
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

/** SSE, wherever it is cut. */
class SseParser {
  #tell; #line = ""; #afterCr = false; #type = ""; #data = null; #id = "";
  retryMs = 0;

  constructor(tell) { this.#tell = tell; }

  push(text) {
    const lines = (this.#afterCr && text[0] === "\n" ? text.slice(1) : text).split(/\r\n|\n|\r/);
    if (text !== "") this.#afterCr = text.endsWith("\r");
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop();
    for (const line of lines) this.#read(line);
  }

  #read(line) {
    if (line === "") {
      if (this.#data !== null) this.#tell(this.#type || "message", { data: this.#data, lastEventId: this.#id });
      [this.#type, this.#data] = ["", null];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
  }
}

const current = async (token) => (typeof token === "function" ? token() : token);

/** By fetch, which can send a token; does not come back by itself. */
class FetchSource extends Source {
  #abort = new AbortController();
  #parser = new SseParser((type, fields) => this.tell(type, fields));

  constructor(url, init) {
    super();
    this.#run(url, init).catch(() => {}).then(() => this.fail());
  }

  get retryMs() { return this.#parser.retryMs; }

  close() {
    super.close();
    this.#abort.abort();
  }

  async #run(url, { withCredentials, token, lastEventId }) {
    const headers = { accept: "text/event-stream" };
    if (token) headers.authorization = `Bearer ${await current(token)}`;
    if (lastEventId) headers["last-event-id"] = lastEventId;
    const credentials = withCredentials ? "include" : "same-origin";
    const { signal } = this.#abort;
    const response = await fetch(url, { headers, credentials, cache: "no-store", signal });
    if (response.status !== 200 || !/^text\/event-stream\b/i.test(response.headers.get("content-type"))) return;
    this.tell("open");
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (let next; !(next = await reader.read()).done; ) this.#parser.push(decoder.decode(next.value, { stream: true }));
  }
}

/** In the worker of all tabs. */
class SharedSource extends Source {
  #port;

  constructor(url, { withCredentials, token }) {
    super();
    const worker = new SharedWorker(import.meta.url, { type: "module", name: WORKER_NAME });
    const { port } = worker;
    this.#port = port;
    const send = (message) => current(token).then((known) => this.readyState === CLOSED || port.postMessage({ ...message, token: known })).catch(() => this.fail());
    port.onmessage = ({ data: [type, fields] }) => (type === "token" ? send({}) : this.tell(type, fields));
    worker.onerror = () => this.tell("failed");
    send({ url, withCredentials });
  }

  close() {
    super.close();
    this.#port.postMessage(null);
  }
}

export class ViewStream extends EventTarget {
  #url; #options; #key; #staleAfterMs;
  #source = null;
  #rows = new Map(); #size = 0; #position = null;
  /** Deltas wait for a base, also when one is of another incarnation. */
  #awaitingBase = true; #buffer = []; #bufferedChanges = 0; #compactAt = COMPACT_AFTER;
  #status = "connecting"; #reason = "";
  /** A status that heartbeats do not end. */
  #held = null;
  #staleTimer; #reopenTimer; #failures = 0; #paused = false;
  #alone = false;
  /** Several views, in the order of the ids. */
  #parts;
  #loops = new Set();
  #page = null;

  constructor(url, options = {}) {
    super();
    const { key, staleAfterMs = STALE_AFTER_MS } = options;
    if (options.EventSource !== undefined && typeof options.EventSource !== "function") refuse("EventSource is not a class");
    // A worker has another base address.
    this.#url = globalThis.document ? new URL(url, document.baseURI).href : String(url);
    this.#options = options;
    this.#key = key && [key].flat();
    this.#staleAfterMs = staleAfterMs;
    const names = new URLSearchParams(this.#url.split(/[?#]/)[1]).getAll("view");
    // In the address, by which tabs share.
    const windows = Object.entries({ "": options, ...options.views }).flatMap(([view, its]) => {
      const said = windowOf(view, its);
      if (said[0] && !(names[0] ? names : [""]).includes(view)) refuse(`filter: the address has no view "${view}"; several have theirs in option views`);
      return said;
    });
    this.#url = extended(this.#url, windows.sort().join("&"));
    this.#parts = names.map((name) => this.#part(name, encode(name))).sort((a, b) => (a.encoded < b.encoded ? -1 : 1));
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
    return rows.slice(0, limit);
  }

  json() { return this.#awaitingBase ? null : textOf(this.#rows); }

  view(name) { return this.#parts.find((part) => part.name === name)?.view; }

  *entries() { for (const { row, count } of this.#rows.values()) yield [row, count]; }

  /** Begins with the rows that stand: the changes add up to the view. */
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
    for (const { view } of this.#parts) view.close();
    for (const type of PAGE_EVENTS) globalThis.removeEventListener?.(type, this.#page);
    this.#setStatus("closed", "");
    for (const loop of this.#loops) loop.end();
  }

  /** A connection keeps a page out of the back/forward cache. */
  #watchPage() {
    if (!globalThis.document || this.#options[FEED]) return;
    let left = false;
    this.#page = ({ type }) => {
      if (type === "pageshow" && left) this.resume();
      left = type === "pagehide" && !this.#paused;
      if (left) this.pause();
    };
    for (const type of PAGE_EVENTS) globalThis.addEventListener(type, this.#page);
  }

  #part(name, encoded) {
    const part = { name, encoded, base: null, deltas: [], kept: null };
    const feed = (lastEventId) => {
      const { feed: before, kept } = part;
      [part.feed, part.kept] = [new Source(), null];
      if (before) this.#catchUp(part, part.feed, kept, lastEventId);
      return part.feed;
    };
    part.view = new ViewStream("a:", { ...this.#options.views?.[name], filter: {}, select: undefined, [FEED]: feed });
    return part;
  }

  /** A view that is resumed is told what it missed; one that asks anew has all get a base. */
  #catchUp(part, source, kept, lastEventId) {
    const { base = null, deltas = [], id = lastEventId } = kept ?? {};
    if (!part.isGone && (deltas === null || (base === null && !lastEventId))) return this.#reopen(false);
    // Once the view listens.
    queueMicrotask(() => {
      if (part.isGone) return source.tell(WIRE.gone, { data: part.isGone });
      source.tell("held", { status: this.#status, reason: this.#reason });
      source.tell(base === null ? WIRE.delta : WIRE.base, { data: merge(base, deltas), lastEventId: id });
    });
  }

  /** What comes for a view while it is paused. */
  #keepFor(part, base, deltas, id) {
    if (part.view.status === "closed") return;
    if (base !== null || part.kept === null) part.kept = { base, deltas: [], length: base?.length ?? 0 };
    const { kept } = part;
    kept.id = id;
    for (const { length } of deltas) kept.length += length;
    if (kept.length > KEPT_LENGTH_MAX) [kept.base, kept.deltas] = [null, null];
    kept.deltas?.push(...deltas);
  }

  #onPart(part, kind, data) {
    if (kind === WIRE.delta) return part.deltas.push(data);
    if (kind === WIRE.upstream) {
      part.isLost = data.includes(WIRE.lost);
      return this.#hold(this.#parts.some(({ isLost }) => isLost) ? "stale" : "live", "upstream lost");
    }
    [part.base, part.deltas, part.isGone] = [kind === WIRE.base ? data : null, [], kind === WIRE.gone && data];
    if (part.isGone) {
      part.kept = null;
      part.feed.tell(kind, { data });
    }
  }

  /** All views stand at one time: only now they are told. */
  #onConsistent({ data, lastEventId }) {
    lastEventId ||= this.position;
    const ids = lastEventId.split(".");
    const timestamp = BigInt(JSON.parse(data)[WIRE.position]);
    this.#parts.forEach((part, at) => {
      const { feed, base, deltas, isGone } = part;
      [part.base, part.deltas] = [null, []];
      if (isGone) return;
      if (feed.readyState === CLOSED) return this.#keepFor(part, base, deltas, ids[at]);
      feed.tell(base === null ? WIRE.delta : WIRE.base, { data: merge(base, deltas), lastEventId: ids[at] });
    });
    [this.#position, this.#awaitingBase, this.#failures] = [{ id: lastEventId, timestamp }, false, 0];
    this.#fresh();
    this.#emit(WIRE.consistent, { position: lastEventId, timestamp });
  }

  #drop() {
    clearTimeout(this.#staleTimer);
    clearTimeout(this.#reopenTimer);
    this.#source?.close();
    this.#source = null;
  }

  #open(resume) {
    this.#drop();
    [this.#buffer, this.#bufferedChanges] = [[], 0];
    const from = resume && this.#position !== null ? this.#position.id : "";
    this.#awaitingBase = from === "";
    const source = this.#connect(from);
    this.#source = source;
    const listen = (name, handle) => source.addEventListener(name, (event) => source === this.#source && handle(event));
    // The gateway says again what is still so.
    listen("open", () => {
      this.#held = null;
      for (const part of this.#parts) [part.base, part.deltas, part.isLost] = [null, [], false];
      this.#heard();
    });
    listen("error", () => this.#onError(source));
    listen("held", ({ status, reason }) => this.#hold(status, reason));
    listen("failed", () => { this.#alone = true; this.#open(true); });
    const events = this.#parts.length > 0 ? { [WIRE.consistent]: (event) => this.#onConsistent(event) } : {
      [WIRE.base]: (event) => this.#onBase(event),
      [WIRE.delta]: (event) => this.#onDelta(event),
      [WIRE.upstream]: (event) => this.#onUpstream(event),
      [WIRE.gone]: (event) => this.#setStatus("gone", JSON.parse(event.data).reason),
    };
    for (const part of this.#parts)
      for (const kind of [WIRE.base, WIRE.delta, WIRE.upstream, WIRE.gone])
        events[`${part.encoded}.${kind}`] = ({ data }) => this.#onPart(part, kind, data);
    for (const [name, handle] of Object.entries(events)) listen(name, (event) => this.#checked(event, handle));
    this.#heard();
  }

  #connect(lastEventId) {
    const { EventSource, withCredentials = false, token, shared, [FEED]: feed } = this.#options;
    if (feed) return feed(lastEventId);
    const init = { withCredentials, token, lastEventId };
    if (shared && this.#parts.length === 0 && globalThis.SharedWorker && !this.#alone) {
      try {
        return new SharedSource(this.#url, init);
      } catch {
        this.#alone = true; // a module of another origin
      }
    }
    const Native = EventSource ?? (token ? undefined : globalThis.EventSource);
    if (!Native) return new FetchSource(this.#url, init);
    return new Native(extended(this.#url, lastEventId && `${WIRE.lastEventId}=${encodeURIComponent(lastEventId)}`), { withCredentials });
  }

  /** EventSource does not come back from a wrong answer. */
  #onError(source) {
    // It would go on after a delta, and the base never came.
    const baseIsMissing = this.#awaitingBase && this.#buffer.length > 0;
    if (source.readyState === CLOSED || baseIsMissing) this.#reopen(!this.#awaitingBase);
    if (this.#status !== "gone") this.#setStatus("connecting", "connection lost");
  }

  #reopen(resume) {
    const wished = this.#source?.retryMs ?? 0;
    this.#drop();
    const ceiling = Math.min(REOPEN_MS_MAX, REOPEN_MS_MIN * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#reopenTimer = setTimeout(() => this.#open(resume), Math.max(wished, ceiling * (0.5 + Math.random() / 2)));
  }

  /** What breaks the contract asks for a fresh base. */
  #checked(event, handle) {
    this.#heard();
    const { type, data, lastEventId } = event;
    this.#emit("wire", { type, data, lastEventId });
    try {
      if (this.#source !== null) handle(event);
    } catch (error) {
      this.#reopen(false);
      this.#setStatus("stale", error.message);
      this.#emit("error", { message: error.message, position: lastEventId });
    }
  }

  #onBase(event) {
    const position = parsePosition(event.lastEventId);
    const rows = parseBase(event.data);
    const isWithin = (delta) => delta.first <= position.timestamp && position.timestamp < delta.position.timestamp;
    if (this.#buffer.some(isWithin)) throw new Error("base is within deltas that were added up");
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
      // A listener may have closed or paused it.
      if (this.#source !== null) this.#apply(delta.position, delta.changes);
    }
  }

  #onDelta(event) {
    const changes = parseDelta(event.data);
    // A heartbeat needs none, and a new EventSource knows none yet.
    const position = parsePosition(event.lastEventId || (changes.size === 0 && this.position));
    this.#awaitingBase ||= position.incarnation !== this.#position.incarnation;
    if (!this.#awaitingBase) return this.#apply(position, changes);
    this.#keep(position, changes);
    if (this.#status === "live") this.#setStatus("stale", "waiting for a base");
  }

  /** C1 */
  #keep(position, changes) {
    const last = this.#buffer.at(-1);
    if (last?.position.incarnation !== position.incarnation) [this.#buffer, this.#bufferedChanges] = [[], 0];
    else if (position.timestamp <= last.position.timestamp) return;
    else if (last.changes.size === 0) this.#buffer.pop();
    this.#buffer.push({ first: position.timestamp, position, changes });
    this.#bufferedChanges += changes.size;
    if (this.#bufferedChanges <= this.#compactAt) return;
    // A base before or behind them all can still be used.
    const net = new Map();
    for (const delta of this.#buffer) for (const [text, { row, count }] of delta.changes) add(net, text, row, count);
    this.#buffer = [{ first: this.#buffer[0].first, position, changes: net }];
    this.#bufferedChanges = net.size;
    this.#compactAt = 2 * net.size + COMPACT_AFTER;
    if (net.size > BUFFERED_CHANGES_MAX) throw new Error("base did not come");
  }

  /** C1, C2: all of a delta or nothing. */
  #apply(position, changes) {
    const known = this.#position;
    if (position.incarnation !== known.incarnation) return;
    const above = position.timestamp > known.timestamp;
    if (above) {
      this.#add(changes);
      this.#position = position;
      this.#held = null;
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
    const state = event.data.trim().replace(/^"(.*)"$/, "$1");
    const known = this.#status !== "gone";
    if (state === WIRE.lost) this.#hold("stale", "upstream lost", known);
    else if (state === WIRE.live) this.#hold("live", "", known);
  }

  /** What gateway or worker says of itself. */
  #hold(status, reason, known = true) {
    this.#held = status === "live" ? null : [status, reason];
    if (known && (this.#held !== null || !this.#awaitingBase)) this.#fresh();
  }

  /** A sign of life. */
  #heard() {
    clearTimeout(this.#staleTimer);
    if (this.#options[FEED]) return;
    // Longer after failures, for a slow base; the worker looks first.
    const allowedMs = this.#staleAfterMs * 2 ** Math.min(this.#failures, 5) * (this.#source instanceof SharedSource ? 2 : 1);
    this.#staleTimer = setTimeout(() => {
      if (this.#status === "live") this.#setStatus("stale", "nothing heard");
      this.#failures += 1;
      this.#open(!this.#awaitingBase);
    }, allowedMs);
    this.#staleTimer.unref?.();
  }

  #fresh() { this.#setStatus(...(this.#held ?? ["live", ""])); }

  #setStatus(status, reason) {
    if (this.#status === "closed" || (status === this.#status && reason === this.#reason)) return;
    [this.#status, this.#reason] = [status, reason];
    for (const { feed, isGone } of this.#parts) if (!isGone) feed.tell("held", { status, reason });
    this.#emit("status", { status, reason });
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

/** In the worker: one stream, and the tabs that follow it. */
class Hub {
  static all = new Map();
  /** Tabs that have a base, and that wait for one. */
  #served = new Set(); #waiting = new Set();
  #key; #view; #answered = null;

  static join(port, asked) {
    const key = JSON.stringify(asked);
    const hub = Hub.all.get(key) ?? new Hub(key, asked);
    hub.#waiting.add(port);
    hub.#post([port], "held", { status: hub.#view.status, reason: hub.#view.reason });
    hub.#serve();
    return hub;
  }

  constructor(key, { url, withCredentials, token }) {
    this.#key = key;
    let first = token;
    // Tokens expire: the tabs are asked for new ones.
    const ask = () => new Promise((resolve) => {
      this.#answered = resolve;
      if (first) resolve(first);
      else this.#toAll("token");
      first = null;
    });
    this.#view = new ViewStream(url, { withCredentials, token: token && ask });
    this.#view.addEventListener("wire", ({ detail: { type, ...fields } }) => {
      this.#post(this.#served, type, fields);
      // Once it is taken in.
      queueMicrotask(() => this.#serve());
    });
    this.#view.addEventListener("status", ({ detail }) => this.#toAll("held", detail));
    Hub.all.set(key, this);
  }

  answer(token) { this.#answered?.(token); }

  leave(port) {
    this.#served.delete(port);
    this.#waiting.delete(port);
    if (this.#served.size + this.#waiting.size > 0) return;
    this.#view.close();
    Hub.all.delete(this.#key);
  }

  #post(ports, type, fields) { for (const port of ports) port.postMessage([type, fields]); }
  #toAll(type, fields) { this.#post([...this.#served, ...this.#waiting], type, fields); }

  #serve() {
    const data = this.#waiting.size > 0 && this.#view.json();
    if (!data) return;
    this.#post(this.#waiting, WIRE.base, { data, lastEventId: this.#view.position });
    for (const port of this.#waiting) this.#served.add(port);
    this.#waiting.clear();
  }
}

if (globalThis.SharedWorkerGlobalScope && globalThis.name === WORKER_NAME) {
  globalThis.onconnect = ({ ports: [port] }) => {
    let hub = null;
    const leave = () => { hub?.leave(port); hub = null; };
    port.onmessage = ({ data }) => {
      if (data === null) leave();
      else if (data.url) hub = Hub.join(port, data);
      else hub?.answer(data.token);
    };
    port.onclose = leave;
  };
}

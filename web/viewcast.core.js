/**
 * A view that is kept up to date: connections, the rules of docs/PROTOCOL.md for what they say, and what is handed out.
 * A row's identity is its text (P4): rows are kept as a multiset of texts. viewcast.js is what others import.
 */

/** The names of the wire, as in src/relay/event/names.rs. */
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
/** A lazy stream keeps its connection so long after its last reader: one that comes back at once finds it open. */
const LINGER_MS = 5_000;
/** A worker that has said nothing by then cannot be had: the tab takes a connection of its own. */
const WORKER_MS = 2_000;
/** A stream that ends sooner is not worth a newer token, in ms. */
const RENEW_MS_MIN = 10_000;
/** Streams that a browser opens to one origin over HTTP/1.1. */
const CONNECTIONS_MAX = 6;
/** Of so many changes at once, finding the place of each costs as much as ordering all rows anew. */
const REORDER_AFTER = 500;
/** EventSource.CLOSED */
const CLOSED = 2;
/** The option by which one view of several is fed: its source, and whom to tell that somebody reads it. */
const FEED = Symbol();
const PAGE_EVENTS = ["pagehide", "pageshow", "online"];
/** How to get what few pages need: a worker, and what keeps rows. viewcast.js knows. */
export const extras = { worker: null, persist: null };
/** Columns that need a prefix. */
const PREFIXED = /^(last.?event.?id|access_token|view|select)$|\./i;

/** A timer that does not keep a program alive. */
function later(call, ms) {
  const timer = setTimeout(call, ms);
  timer.unref?.();
  return timer;
}

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
      // "
      case 0x22:
        at = stringEnd(text, at);
        break;
      // [ {
      case 0x5b:
      case 0x7b:
        depth += 1;
        if (depth === level) start = at;
        break;
      // ] }
      case 0x5d:
      case 0x7d:
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

/** The name of an event of one view of several (M1). */
export const eventOf = (name, kind) => `${encode(name)}.${kind}`;

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
  detail.updated = [];
  if (detail.deleted.length === 0) return detail;
  const before = new Map(detail.deleted.map((row) => [keyOf(row, key), []]));
  for (const row of detail.deleted) before.get(keyOf(row, key)).push(row);
  detail.inserted = detail.inserted.filter((after) => {
    const old = before.get(keyOf(after, key))?.shift();
    if (old !== undefined) detail.updated.push({ before: old, after });
    return old === undefined;
  });
  detail.deleted = [...before.values()].flat();
  return detail;
}

/** A row's key as text. */
const keyOf = (row, key) => JSON.stringify(key.map((column) => row[column]));

/** Where an entry stands, or belongs, in a list of entries; of equal ones, in the order in which they came. */
function placeOf(list, entry, compare) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((compare(list[middle].row, entry.row) || list[middle].came - entry.came) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Why there is no stream; `permanent` if trying again alone will not help. */
const failureOf = (status, message, hint = "", permanent = status >= 400 && status < 500 && ![408, 425, 429].includes(status)) =>
  ({ status, message, hint, permanent });

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

/** What looks like an EventSource; `failure` is why it has failed, where that is known. */
class Source extends EventTarget {
  readyState = 0;
  failure = null;
  close() { this.readyState = CLOSED; }
  fail(failure = null) {
    if (this.readyState === CLOSED) return;
    this.failure = failure;
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

/** A token, or the failure to get one. */
async function current(token) {
  try {
    return await (typeof token === "function" ? token() : token);
  } catch (error) {
    throw failureOf(0, `token() failed: ${error?.message ?? error}`, "It is asked again.");
  }
}

/** By fetch, which can send a token, and learns why there is no stream; does not come back by itself. */
class FetchSource extends Source {
  #abort = new AbortController();
  #parser = new SseParser((type, fields) => this.tell(type, fields));
  #waitMs = 0;

  constructor(url, init) {
    super();
    // An Error is an end of the connection, for which there are no more words than that.
    this.#run(url, init).catch((error) => (error instanceof Error ? null : error)).then((failure) => this.fail(failure));
  }

  get retryMs() { return this.#waitMs || this.#parser.retryMs; }

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
    const response = await fetch(url, { headers, credentials, cache: "no-store", signal }).catch(({ message, cause }) => {
      // Browsers say no more than that fetching failed.
      const words = cause?.message || (/fetch|load failed/i.test(message) ? "" : message);
      throw failureOf(0, `no answer${words && ": "}${words}`, "Is a gateway listening there, and may pages of this origin read from it?");
    });
    const type = response.headers.get("content-type");
    if (response.status !== 200 || !/^text\/event-stream\b/i.test(type)) return this.#refusal(response, type, token);
    this.tell("open");
    if (typeof token === "function") this.#renew(url, credentials, token, response.headers.get("viewcast-stream"));
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (let next; !(next = await reader.read()).done; ) this.#parser.push(decoder.decode(next.value, { stream: true }));
  }

  /** Before its token ends, the stream is given a newer one and goes on. Where that cannot be had it ends as without. */
  async #renew(url, credentials, token, said) {
    const [, id, seconds] = /^(\w+); expires_in=(\d+)/.exec(said) ?? [];
    const address = url.replace(/([?#].*)?$/, "/token");
    for (let end = Date.now() + seconds * 1000, left; (left = end - Date.now()) > RENEW_MS_MIN; ) {
      await new Promise((resolve) => later(resolve, left * (0.6 + 0.2 * Math.random())));
      if (this.readyState === CLOSED) return;
      const { signal } = this.#abort;
      const answer = await current(token)
        .then((newer) => fetch(address, { method: "POST", headers: { authorization: `Bearer ${newer}`, "viewcast-stream": id }, credentials, signal }))
        .catch(() => null);
      const { ok, status } = answer ?? {};
      // Other rows or other views: it comes back and is shown those.
      if (status === 403 || status === 409) return this.fail();
      // Behind a balancer this may have reached another gateway.
      if (status === 404) return;
      if (ok) end = Date.now() + (await answer.json()).expires_in * 1000;
    }
  }

  /** In the gateway's own words, if it is one. */
  async #refusal(response, type, token) {
    const { status, headers } = response;
    this.#waitMs = headers.get("retry-after") * 1000 || 0;
    if (status < 400) return failureOf(status, `the answer is ${type}, no event stream`, "Is this the address of a stream, as /NAME/stream?", true);
    const { error, hint } = /json/.test(type) ? await response.json().catch(() => ({})) : {};
    return failureOf(status, error ?? `answered ${status}`, hint, status === 401 && typeof token === "function" ? false : undefined);
  }
}

/** In the worker of all tabs, which says "here" as soon as it runs. */
class SharedSource extends Source {
  #port; #timer;

  constructor(url, { withCredentials, token, worker, kept }) {
    super();
    const shared = worker?.() ?? extras.worker();
    const { port } = shared;
    const send = (message) => current(token).then((known) => this.readyState === CLOSED || port.postMessage({ ...message, token: known }), (failure) => this.fail(failure));
    port.onmessage = ({ data: [type, fields] }) => {
      clearTimeout(this.#timer);
      if (type === "token") send({});
      else this.tell(type, fields);
    };
    this.#port = port;
    shared.onerror = () => this.tell("alone");
    this.#timer = later(() => this.tell("alone"), WORKER_MS);
    send({ url, withCredentials, kept });
  }

  close() {
    super.close();
    clearTimeout(this.#timer);
    this.#port.postMessage(null);
  }
}

/** The page's direct connections, each with its origin. */
const connections = new Map();
let isWarned = false;

/** Over HTTP/1.1 the seventh waits until another one ends, and nothing says so. */
function count(source, url) {
  const { origin, protocol } = new URL(url);
  connections.set(source, origin);
  const isOld = () => protocol === "http:" || performance.getEntries().some(({ name, nextHopProtocol }) => nextHopProtocol === "http/1.1" && name.startsWith(origin));
  if (isWarned || !globalThis.document || [...connections.values()].filter((it) => it === origin).length <= CONNECTIONS_MAX || !isOld()) return;
  isWarned = true;
  console.warn(`viewcast: over HTTP/1.1 a browser opens ${CONNECTIONS_MAX} connections to ${origin}, and this page wants one more stream, which waits. Put views on one connection (/stream?view=a&view=b), set shared: true, or serve over HTTPS with HTTP/2.`);
}

export class ViewStream extends EventTarget {
  #url; #options; #key; #staleAfterMs;
  #source = null;
  /** Text -> {row, count}, and `came` with an order. */
  #rows = new Map(); #size = 0; #position = null;
  /** Deltas wait for a base. */
  #awaitingBase = true; #buffer = []; #bufferedChanges = 0; #compactAt = COMPACT_AFTER;
  #status = "idle"; #reason = ""; #error = null;
  /** A status that heartbeats do not end. */
  #held = null;
  #staleTimer; #reopenTimer; #lingerTimer; #failures = 0; #paused = false;
  /** Whether the connection is made; what tries again once its time has come. */
  #isOpen = false; #retry = null;
  /** No worker can be had; EventSource has failed, and fetch is to find out why. */
  #alone = false; #byFetch = false;
  /** Several views, in the order of the ids. */
  #parts;
  #loops = new Set();
  #page = null;
  /** Whether rows of the gateway have come, and not just those that were kept from before. */
  #isLoaded = false; #isRestored = false;
  /** Who reads it: subscribers, loops, and promises that are waited for. */
  #readers = 0; #subscribers = 0; #waiters = new Set(); #frame = 0;
  /** What `snapshot()` gave, if that is still so. */
  #snapshot = null;
  /** The rows that were shown last, and whether they still are what they were. */
  #shown = []; #isShown = false;
  /** Entries in order, and by key; null until they are asked for. */
  #order = null; #byKey = null; #came = 0;
  #abort = () => this.close();

  constructor(url, options = {}) {
    super();
    const { key, staleAfterMs = STALE_AFTER_MS, connect, signal, persist } = options;
    if (options.EventSource !== undefined && typeof options.EventSource !== "function") refuse("EventSource is not a class");
    // A worker has another base address. Without any, as on a server, only a lazy stream may wait for one.
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    this.#url = !base && connect === "lazy" ? String(url) : new URL(url, base).href;
    this.#options = options;
    this.#key = key && [key].flat();
    this.#staleAfterMs = staleAfterMs;
    const names = new URLSearchParams(this.#url.split(/[?#]/)[1]).getAll("view");
    if (persist && names[0]) refuse("persist is for a stream of one view");
    // In the address, by which tabs share.
    const windows = Object.entries({ "": options, ...options.views }).flatMap(([view, its]) => {
      const said = windowOf(view, its);
      if (said[0] && !(names[0] ? names : [""]).includes(view)) refuse(`filter: the address has no view "${view}"; several have theirs in option views`);
      return said;
    });
    this.#url = extended(this.#url, windows.sort().join("&"));
    this.#parts = names.map((name) => this.#part(name, encode(name))).sort((a, b) => (a.encoded < b.encoded ? -1 : 1));
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.close();
    else if (connect !== "lazy") this.#start();
  }

  get size() { return this.#size; }
  get position() { return this.#position?.id ?? null; }
  get timestamp() { return this.#position?.timestamp ?? null; }
  get status() { return this.#status; }
  get reason() { return this.#reason; }
  get error() { return this.#error; }

  /** Rows have come from the gateway. */
  get ready() { return this.#once(() => this.#isLoaded); }

  /** The rows hold what was so at a position, or at a timestamp: read your own write. */
  until(position) {
    const wished = BigInt(/\d+/.exec(position)[0]);
    return this.#once(() => !this.#awaitingBase && this.timestamp >= wished);
  }

  rows() { return [...this.#list()]; }

  /** The same object until something changes, with the same `rows` until these do. */
  snapshot() {
    return (this.#snapshot ??= { rows: this.#list(), status: this.#status, reason: this.#reason, error: this.#error, position: this.position });
  }

  json() { return this.#awaitingBase ? null : textOf(this.#rows); }

  view(name) { return this.#parts.find((part) => part.name === name)?.view; }

  *entries() { for (const { row, count } of this.#rows.values()) yield [row, count]; }

  get(key) { return this.#index().get(JSON.stringify([key].flat()))?.[0].row; }
  has(key) { return this.#index().has(JSON.stringify([key].flat())); }
  *keys() {
    for (const [{ row }] of this.#index().values()) {
      const values = this.#key.map((column) => row[column]);
      yield values.length > 1 ? values : values[0];
    }
  }

  /** Begins with what stands. A lazy stream is open while it has subscribers, and some seconds longer. */
  subscribe(callback) {
    let [last, isOver] = [null, false];
    const tell = (snapshot) => { if (snapshot !== last) callback((last = snapshot)); };
    // As an event, so that one that throws is in nobody's way.
    const listener = ({ detail }) => tell(detail);
    this.#subscribers += 1;
    this.#read(1);
    this.addEventListener("snapshot", listener);
    tell(this.snapshot());
    return () => {
      if (isOver) return;
      isOver = true;
      this.removeEventListener("snapshot", listener);
      this.#subscribers -= 1;
      this.#read(-1);
    };
  }

  /** Begins with the rows that stand: the changes add up to the view. */
  async *[Symbol.asyncIterator]() {
    const loop = new Changes();
    for (const [text, { row, count }] of this.#rows) loop.add(text, row, count);
    if (this.#status === "closed") loop.end();
    this.#loops.add(loop);
    this.#read(1);
    try {
      for (let changes; (changes = await loop.take()) !== null; ) yield describe(changes, this.position, this.#key);
    } finally {
      this.#loops.delete(loop);
      this.#read(-1);
    }
  }

  pause() {
    if (this.#status === "closed" || this.#paused) return;
    this.#paused = true;
    this.#leave("stale", "paused");
  }

  resume() {
    if (this.#status === "closed" || !this.#paused) return;
    this.#paused = false;
    if (this.#options.connect === "lazy" && this.#readers === 0) this.#leave("idle", "");
    else this.#start();
  }

  close() {
    if (this.#status === "closed") return;
    for (const { view } of this.#parts) view.close();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#unwatchPage();
    this.#leave("closed", "");
    for (const loop of this.#loops) loop.end();
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() { this.close(); }

  /** Opens the connection; the first time, after the rows that were kept from before. */
  #start() {
    const { [FEED]: feed, persist } = this.#options;
    if (!feed) {
      // A lazy one has not looked at its address yet.
      new URL(this.#url);
      this.#watchPage();
    }
    this.#setStatus("connecting", "");
    if (!persist || this.#isRestored) return this.#open(true);
    this.#isRestored = true;
    const isWanted = () => this.#source === null && !this.#paused && !/^(closed|idle)$/.test(this.#status);
    this.#restore().catch(({ message }) => console.warn(`viewcast: no rows are kept: ${message}`)).then(() => { if (isWanted()) this.#open(true); });
  }

  /** Shows the rows of before as what they are. */
  async #restore() {
    const { persist, token } = this.#options;
    const { keep } = persist.keep ? persist : await extras.persist();
    const kept = await keep(this, persist, this.#url, token);
    if (!kept || this.#position !== null) return;
    const [rows, position] = [parseBase(kept.rows), parsePosition(kept.position)];
    this.#held = ["stale", "rows of before"];
    this.#take(rows, position);
  }

  #leave(status, reason) {
    clearTimeout(this.#lingerTimer);
    this.#drop();
    if (status !== "stale") this.#unwatchPage();
    this.#setStatus(status, reason);
  }

  /** Somebody begins to read, or ends. A lazy stream is open as long as somebody does. */
  #read(more) {
    this.#readers += more;
    this.#holdProgram();
    const { connect, lingerMs = LINGER_MS, [FEED]: feed } = this.#options;
    if (feed) return feed.read(more);
    clearTimeout(this.#lingerTimer);
    if (this.#status === "idle" && this.#readers > 0) this.#start();
    if (connect === "lazy" && this.#readers === 0) this.#lingerTimer = later(() => { if (!this.#paused) this.#leave("idle", ""); }, lingerMs);
  }

  /** Resolves once it is so; rejects where that will not be. */
  #once(test) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isSo = test();
        if (!isSo && this.#status !== "closed" && !this.#error?.permanent) return;
        this.#waiters.delete(look);
        this.#read(-1);
        if (isSo) resolve(this);
        else reject(Object.assign(new Error(this.#reason || "the stream was closed"), this.#error));
      };
      this.#waiters.add(look);
      this.#read(1);
      look();
    });
  }

  /** The rows in order, as many as are wanted; the same array while they are the same. */
  #list() {
    if (this.#isShown) return this.#shown;
    const { sort, limit = Infinity } = this.#options;
    if (sort) this.#order ??= [...this.#rows.values()].sort((a, b) => sort(a.row, b.row));
    const rows = [];
    for (const { row, count } of this.#order ?? this.#rows.values()) {
      if (rows.length >= limit) break;
      repeat(rows, row, Math.min(count, limit - rows.length));
    }
    this.#isShown = true;
    // What changed may be beyond the limit.
    const isSame = limit < Infinity && rows.length === this.#shown.length && rows.every((row, n) => row === this.#shown[n]);
    if (!isSame) this.#shown = rows;
    return this.#shown;
  }

  /** Key -> entries of that key, which should be one. */
  #index() {
    if (!this.#key) refuse("key is not set");
    if (this.#byKey === null) {
      this.#byKey = new Map();
      for (const entry of this.#rows.values()) this.#placeByKey(entry, true);
    }
    return this.#byKey;
  }

  /** An entry comes or goes. */
  #place(entry, comes) {
    if (comes) entry.came = this.#came += 1;
    if (this.#byKey) this.#placeByKey(entry, comes);
    if (!this.#order) return;
    const at = placeOf(this.#order, entry, this.#options.sort);
    if (comes) this.#order.splice(at, 0, entry);
    else if (this.#order[at] === entry) this.#order.splice(at, 1);
    // An order that contradicts itself.
    else this.#order = null;
  }

  #placeByKey(entry, comes) {
    const text = keyOf(entry.row, this.#key);
    const entries = this.#byKey.get(text) ?? [];
    if (comes) entries.push(entry);
    else entries.splice(entries.indexOf(entry), 1);
    if (entries.length > 0) this.#byKey.set(text, entries);
    else this.#byKey.delete(text);
  }

  /** A connection keeps a page out of the back/forward cache. */
  #watchPage() {
    if (!globalThis.document || this.#page) return;
    let left = false;
    this.#page = ({ type }) => {
      // A machine that wakes need not wait out what it waited for while it slept.
      if (type === "online") return this.#retry?.();
      if (type === "pageshow" && left) this.resume();
      left = type === "pagehide" && !this.#paused;
      if (left) this.pause();
    };
    for (const type of PAGE_EVENTS) globalThis.addEventListener(type, this.#page);
  }

  #unwatchPage() {
    for (const type of PAGE_EVENTS) globalThis.removeEventListener?.(type, this.#page);
    this.#page = null;
  }

  #part(name, encoded) {
    const part = { name, encoded, base: null, deltas: [], kept: null };
    const open = (lastEventId) => {
      const { feed: before, kept } = part;
      [part.feed, part.kept] = [new Source(), null];
      if (before) this.#catchUp(part, part.feed, kept, lastEventId);
      return part.feed;
    };
    const { batch, views } = this.#options;
    const feed = { open, read: (more) => this.#read(more) };
    part.view = new ViewStream("a:", { batch, ...views?.[name], filter: {}, select: undefined, [FEED]: feed });
    return part;
  }

  /** A view that is resumed is told what it missed; one that asks anew has all get a base. */
  #catchUp(part, source, kept, lastEventId) {
    const { base = null, deltas = [], id = lastEventId } = kept ?? {};
    if (!part.isGone && (deltas === null || (base === null && !lastEventId))) return this.#reopen(false);
    // Once the view listens.
    queueMicrotask(() => {
      if (part.isGone) return source.tell(WIRE.gone, { data: part.isGone });
      source.tell("held", { status: this.#status, reason: this.#reason, error: this.#error });
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
    this.#isLoaded = true;
    this.#stand({ id: lastEventId, timestamp });
    this.#fresh();
    this.#tell(WIRE.consistent, { position: lastEventId });
  }

  #drop() {
    clearTimeout(this.#staleTimer);
    clearTimeout(this.#reopenTimer);
    this.#retry = null;
    this.#source?.close();
    connections.delete(this.#source);
    this.#source = null;
    this.#isOpen = false;
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
      [this.#held, this.#isOpen, this.#byFetch] = [null, true, false];
      for (const part of this.#parts) [part.base, part.deltas, part.isLost] = [null, [], false];
      if (this.#status === "failed") this.#setStatus("connecting", "");
      this.#heard();
      this.#emit("open", {});
    });
    listen("error", (event) => this.#onError(source, event));
    listen("held", ({ status, reason, error }) => this.#hold(status, reason, error));
    listen("alone", () => {
      this.#alone = true;
      console.warn("viewcast: no worker answers, so this tab has a connection of its own; see option worker");
      this.#open(true);
    });
    const events = this.#parts.length > 0 ? { [WIRE.consistent]: (event) => this.#onConsistent(event) } : {
      [WIRE.base]: (event) => this.#onBase(event),
      [WIRE.delta]: (event) => this.#onDelta(event),
      [WIRE.upstream]: (event) => this.#onUpstream(event),
      [WIRE.gone]: (event) => this.#setStatus("gone", JSON.parse(event.data).reason),
    };
    for (const part of this.#parts)
      for (const kind of [WIRE.base, WIRE.delta, WIRE.upstream, WIRE.gone])
        events[eventOf(part.name, kind)] = ({ data }) => this.#onPart(part, kind, data);
    for (const [name, handle] of Object.entries(events)) listen(name, (event) => this.#checked(event, handle));
    this.#heard();
  }

  #connect(lastEventId) {
    const { EventSource, withCredentials = false, token, shared, worker, persist, [FEED]: feed } = this.#options;
    if (feed) return feed.open(lastEventId);
    if ((worker || (shared && globalThis.SharedWorker)) && !this.#alone) {
      const kept = persist && lastEventId ? { position: lastEventId, rows: textOf(this.#rows) } : null;
      try {
        return new SharedSource(this.#url, { withCredentials, token, worker, kept });
      } catch {
        // A module of another origin.
        this.#alone = true;
      }
    }
    const Native = EventSource ?? (token || this.#byFetch ? undefined : globalThis.EventSource);
    const address = extended(this.#url, lastEventId && `${WIRE.lastEventId}=${encodeURIComponent(lastEventId)}`);
    const source = Native ? new Native(address, { withCredentials }) : new FetchSource(this.#url, { withCredentials, token, lastEventId });
    count(source, this.#url);
    return source;
  }

  /** EventSource does not come back from a wrong answer. */
  #onError(source, { code = 0, status = code, message = "no connection" }) {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    // Nor does it say why there is no stream: fetch finds out, and is the stream if there is one.
    if (!wasOpen && !this.#options.EventSource && !(source instanceof Source)) {
      this.#byFetch = true;
      return this.#open(!this.#awaitingBase);
    }
    const failure = source.failure ?? (wasOpen ? null : failureOf(status, message));
    // It would go on after a delta, and the base never came.
    const baseIsMissing = this.#awaitingBase && this.#buffer.length > 0;
    if (source.readyState === CLOSED || baseIsMissing) this.#reopen(!this.#awaitingBase, failure?.permanent);
    if (failure) this.#fail(failure);
    else if (this.#status !== "gone") this.#setStatus("connecting", "connection lost");
  }

  #fail(failure) { if (this.#status !== "gone") this.#setStatus("failed", failure.message, failure); }

  /** Where trying again alone will not help, it goes on looking slowly. */
  #reopen(resume, slowly = false) {
    const wished = this.#source?.retryMs ?? 0;
    this.#drop();
    const ceiling = slowly ? REOPEN_MS_MAX : Math.min(REOPEN_MS_MAX, REOPEN_MS_MIN * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retry = () => this.#open(resume);
    this.#reopenTimer = setTimeout(this.#retry, Math.max(wished, ceiling * (0.5 + Math.random() / 2)));
    this.#holdProgram();
  }

  /** Who waits for the next try keeps a program alive; a stream that nobody reads does not. */
  #holdProgram() { this.#reopenTimer?.[this.#readers > 0 ? "ref" : "unref"]?.(); }

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
    const buffer = this.#buffer.splice(0);
    this.#bufferedChanges = 0;
    this.#isLoaded = true;
    this.#take(rows, position);
    for (const delta of buffer) {
      // A listener may have closed or paused it.
      if (this.#source !== null) this.#apply(delta.position, delta.changes);
    }
  }

  /** A base as what it changes, so that equal rows stay the objects they are. */
  #take(rows, position) {
    for (const [text, { row, count }] of this.#rows) add(rows, text, row, -count);
    this.#add(rows);
    this.#stand(position);
    this.#fresh();
    this.#tell("base", { size: this.#size, ...describe(rows, position.id, this.#key) });
    for (const loop of this.#loops) loop.moved();
  }

  #stand(position) {
    [this.#position, this.#awaitingBase, this.#failures, this.#snapshot] = [position, false, 0, null];
  }

  #onDelta(event) {
    const changes = parseDelta(event.data);
    // A heartbeat needs none, and a new EventSource knows none yet.
    const position = parsePosition(event.lastEventId || (changes.size === 0 && this.position));
    if (!this.#awaitingBase) return this.#apply(position, changes);
    this.#keep(position, changes);
    if (this.#status === "live") this.#setStatus("stale", "waiting for a base");
  }

  /** C1 */
  #keep(position, changes) {
    const last = this.#buffer.at(-1);
    if (last && position.timestamp <= last.position.timestamp) return;
    if (last?.changes.size === 0) this.#buffer.pop();
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
    const above = position.timestamp > this.#position.timestamp;
    if (above) {
      this.#add(changes);
      this.#stand(position);
      this.#held = null;
    }
    this.#failures = 0;
    this.#isLoaded = true;
    this.#fresh();
    if (above && changes.size > 0) this.#tell("change", describe(changes, position.id, this.#key));
    else this.#tell("heartbeat", { position: this.position });
    for (const loop of this.#loops) loop.moved();
  }

  #add(changes) {
    for (const [text, { count }] of changes) {
      if (count < 0 && (this.#rows.get(text)?.count ?? 0) < -count) throw new Error("delta deletes a row that is not there");
    }
    if (changes.size === 0) return;
    if (changes.size > REORDER_AFTER) this.#order = null;
    [this.#snapshot, this.#isShown] = [null, false];
    for (const [text, change] of changes) {
      const held = this.#rows.get(text);
      // A row is told as the object that it was.
      if (held) change.row = held.row;
      const { row, count } = change;
      add(this.#rows, text, row, count);
      this.#size += count;
      if (!held) this.#place(this.#rows.get(text), true);
      else if (held.count === 0) this.#place(held, false);
      for (const loop of this.#loops) loop.add(text, row, count);
    }
  }

  #onUpstream(event) {
    const state = event.data.trim().replace(/^"(.*)"$/, "$1");
    const known = this.#status !== "gone";
    if (state === WIRE.lost) this.#hold("stale", "upstream lost", null, known);
    else if (state === WIRE.live) this.#hold("live", "", null, known);
  }

  /** What gateway or worker says of itself. */
  #hold(status, reason, error = null, known = true) {
    this.#held = status === "live" ? null : [status, reason, error];
    if (known && (this.#held !== null || !this.#awaitingBase)) this.#fresh();
  }

  /** A sign of life. */
  #heard() {
    clearTimeout(this.#staleTimer);
    if (this.#options[FEED]) return;
    // Longer after failures, for a slow base; the worker looks first.
    const allowedMs = this.#staleAfterMs * 2 ** Math.min(this.#failures, 5) * (this.#source instanceof SharedSource ? 2 : 1);
    this.#staleTimer = later(() => {
      if (this.#status === "live") this.#setStatus("stale", "nothing heard");
      else if (this.#status === "connecting") {
        if (this.#isOpen) this.#setStatus("connecting", "waiting for a base");
        else this.#fail(failureOf(0, `nothing heard for ${allowedMs / 1000} s`));
      }
      this.#failures += 1;
      this.#open(!this.#awaitingBase);
    }, allowedMs);
  }

  #fresh() { this.#setStatus(...(this.#held ?? ["live", ""])); }

  #setStatus(status, reason, error = null) {
    if (this.#status === "closed" || (status === this.#status && reason === this.#reason)) return;
    [this.#status, this.#reason, this.#error, this.#snapshot] = [status, reason, error, null];
    for (const { feed, isGone } of this.#parts) if (!isGone) feed.tell("held", { status, reason, error });
    this.#tell("status", { status, reason, error });
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  /** What changes a snapshot. */
  #tell(type, detail) {
    this.#emit(type, detail);
    for (const look of this.#waiters) look();
    if (this.#subscribers === 0) return;
    const show = () => {
      this.#frame = 0;
      this.#emit("snapshot", this.snapshot());
    };
    if (this.#options.batch !== "frame") return show();
    const soon = globalThis.requestAnimationFrame ?? ((call) => later(call, 16));
    this.#frame ||= soon(show);
  }
}

// A scripted gateway for trying the page and the client without the binary:
//
//     node tests/browser/fake-gateway.mjs [port]
//
// It speaks docs/PROTOCOL.md for the demo's views, over made-up edits from a
// seeded generator, and serves web/ with the page's Content-Security-Policy.
// The tests that count run against the real binary; this one is for looking.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeWikipedia } from "./fake-wikipedia.mjs";

const WEB = new URL("../../web/", import.meta.url);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const INCARNATION = "5f3a9c";
const HISTORY_MAX = 120;

const encode = (type, id, data) => `event: ${type}\ndata: ${data}\nid: ${id}\n\n`;

/** The changes from one list of row texts to another, deletes first. */
function changes(before, after) {
  const counts = new Map();
  for (const text of before) counts.set(text, (counts.get(text) ?? 0) - 1);
  for (const text of after) counts.set(text, (counts.get(text) ?? 0) + 1);
  const list = (sign, key) =>
    [...counts].flatMap(([text, n]) => Array(Math.max(0, sign * n)).fill(`{"${key}":${text}}`));
  return `[${[...list(-1, "delete"), ...list(1, "insert")].join(",")}]`;
}

/** As docs/PROTOCOL.md W1, for texts: what of a list of row texts a query asks for, or null if it cannot be read. */
function windowOf(query, filterable) {
  const tests = [];
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "last-event-id") continue;
    const match = /^(not\.)?(?:eq\.(.*)|in\.\((.*)\)|is\.(null|true|false))$/s.exec(value);
    if (match === null || !filterable.includes(name)) return null;
    const [, not, one, list, is] = match;
    const values = is ? [is] : one !== undefined ? [one] : list.split(",").map((text) => text.replace(/^"(.*)"$/s, "$1"));
    tests.push((row) => values.includes(String(row[name])) === (not === undefined) && (is === "null" || row[name] !== null));
  }
  return (texts) => texts.filter((text) => tests.every((test) => test(JSON.parse(text))));
}

class View {
  filterable = [];
  subscribers = new Map();
  frames = [];
  state = "live";
  constructor(name, columns, compute) {
    Object.assign(this, { name, columns, compute, rows: compute() });
    this.timestamp = Date.now();
  }
  get position() {
    return `${this.timestamp}-${INCARNATION}`;
  }
  send(frame) {
    for (const response of this.subscribers.keys()) response.write(frame);
  }
  /** Each window its own changes. */
  sendChanges(before, after) {
    for (const [response, window] of this.subscribers) response.write(encode("delta", this.position, changes(window(before), window(after))));
  }
  tick() {
    if (this.state !== "live") return;
    const rows = this.compute();
    const before = this.rows;
    this.rows = rows;
    this.timestamp = Math.max(Date.now(), this.timestamp + 1);
    this.frames.push({ timestamp: this.timestamp, before, after: rows });
    this.frames.splice(0, this.frames.length - HISTORY_MAX);
    this.sendChanges(before, rows);
  }
  subscribe(response, lastEventId, window) {
    response.write("retry: 1000\n\n");
    const from = Number(/^(\d+)-5f3a9c$/.exec(lastEventId ?? "")?.[1] ?? 0);
    const kept = this.frames.some(({ timestamp }) => timestamp === from);
    const missed = this.frames.filter(({ timestamp }) => timestamp > from);
    if (kept) for (const { timestamp, before, after } of missed) response.write(encode("delta", `${timestamp}-${INCARNATION}`, changes(window(before), window(after))));
    if (!kept) response.write(encode("base", this.position, `[${window(this.rows).join(",")}]`));
    if (this.state === "lost") response.write(encode("upstream", this.position, '"lost"'));
    this.subscribers.set(response, window);
    response.on("close", () => this.subscribers.delete(response));
  }
  describe() {
    const { name, columns, position, state } = this;
    const stream = `/${encodeURIComponent(name)}/stream`;
    return { name, columns, filterable: this.filterable, rows: this.rows.length, position, subscribers: this.subscribers.size, upstream: state, stream };
  }
}

/** A view of many rows, of which each tick changes some; one row in a hundred stands three times. */
class BigView extends View {
  #next;
  constructor(count) {
    const row = (n) => JSON.stringify({ id: n, name: `row ${n % 7919}, "quoted"`, score: (n * 7919) % 1_000_003 });
    super("big", [{ name: "id", type: "bigint" }, { name: "name", type: "text" }, { name: "score", type: "bigint" }],
      () => Array.from({ length: count }, (_, n) => Array(n % 100 === 0 ? 3 : 1).fill(row(n))).flat());
    this.row = row;
    this.#next = count;
  }
  tick() {
    if (this.state !== "live") return;
    const deleted = this.rows.splice(1, 20);
    const inserted = Array.from({ length: 20 }, () => this.row((this.#next += 1)));
    this.rows.push(...inserted);
    this.timestamp = Math.max(Date.now(), this.timestamp + 1);
    this.sendChanges(deleted, inserted);
  }
}

/** Starts a gateway; `lost()`, `live()` and `gone(name)` play its upstream. */
export async function startFakeGateway({ port = 0, tickMs = 1000, edits = 25, only = null, bigRows = 0, refuse = false } = {}) {
  const wikipedia = new FakeWikipedia();
  const views = wikipedia
    .views()
    .filter(([name]) => only === null || only.includes(name))
    .map((view) => new View(...view));
  for (const view of views) view.filterable = { user_edits: ["user"], hot_pages: ["wiki"] }[view.name] ?? [];
  if (bigRows > 0) views.push(new BigView(bigRows));
  const timer = setInterval(() => {
    wikipedia.edit(edits);
    for (const view of views) view.tick();
  }, tickMs);
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    const view = views.find(({ name }) => url.pathname.replace(/\/stream$/, "") === `/${encodeURIComponent(name)}`);
    const window = view && windowOf(url.search, view.filterable);
    if (window === null) {
      const words = { error: "parameter number 1 of the query is no condition", hint: `Columns to filter by: ${view.filterable.join(", ") || "none"}.` };
      response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify(words));
    } else if (view !== undefined && !url.pathname.endsWith("/stream")) {
      response.writeHead(200, { "content-type": "application/json" }).end(`[${window(view.rows)}]`);
    } else if (view !== undefined) {
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store, no-transform" });
      view.subscribe(response, request.headers["last-event-id"] ?? url.searchParams.get("last-event-id"), window);
    } else if (url.pathname === "/views" && refuse) {
      response.writeHead(401, { "content-type": "application/json", "www-authenticate": "Bearer" }).end('{"error":"a token is needed"}');
    } else if (url.pathname === "/views") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ views: views.map((each) => each.describe()) }));
    } else {
      const file = new URL(url.pathname === "/" ? "index.html" : url.pathname.replace(/^\/assets\//, ""), WEB);
      const found = file.href.startsWith(WEB.href) && /^\/(assets\/[\w.-]+)?$/.test(url.pathname) && existsSync(file);
      response.writeHead(found ? 200 : 404, { "content-type": TYPES[extname(file.pathname)] ?? "text/plain", "content-security-policy": CSP });
      if (found) createReadStream(file).pipe(response);
      else response.end();
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const upstream = (state) => {
    for (const view of views) {
      view.state = state;
      view.send(encode("upstream", view.position, JSON.stringify(state)));
    }
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lost: () => upstream("lost"),
    /** The texts of a view's rows. */
    rows: (name) => views.find((each) => each.name === name).rows,
    live: () => upstream("live"),
    gone(name) {
      const view = views.find((each) => each.name === name);
      view.state = "gone";
      view.send(encode("gone", view.position, '{"reason":"view was dropped"}'));
      for (const response of view.subscribers.keys()) response.end();
    },
    async close() {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startFakeGateway({ port: Number(process.argv[2] ?? 8081) });
  console.log(url);
}

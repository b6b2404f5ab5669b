// VIEWCAST_URL=http://127.0.0.1:8080 node --test cut.test.mjs
// Other people's clients behind a proxy that ends connections inside an event:
// at every position that they hold, they have the rows of `GET`.
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { before, test } from "node:test";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import SanityEventSource from "@sanity/eventsource";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";

const VIEW = "user_edits";
/** Ends inside an event that each client must have come back from. */
const CUTS = 12;
/** Tables that are compared with the rows of `GET`. */
const COMPARED = 5;
const PATIENCE_MS = 60_000;

const gateway = new URL(process.env.VIEWCAST_URL);

/**
 * A proxy that cuts: in turns inside a delta's data, inside its last line, and
 * before that line. It tells its clients to come back at once.
 */
function cutting() {
  const proxy = { cuts: 0, sockets: new Set() };
  const server = createServer((client) => {
    const upstream = connect(Number(gateway.port), gateway.hostname);
    for (const socket of [client, upstream]) {
      proxy.sockets.add(socket);
      socket.on("error", () => {}).on("close", () => proxy.sockets.delete(socket));
    }
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    client.on("data", (bytes) => upstream.write(bytes));
    let deltas = 0;
    upstream.on("data", (bytes) => {
      // The same length, so that no chunk's size is wrong.
      const text = bytes.toString("latin1").replace(/^retry: (\d+)$/gm, (_, ms) => `retry: ${"20".padStart(ms.length, "0")}`);
      const at = cutAt(text);
      if (at < 0) return client.write(Buffer.from(text, "latin1"));
      proxy.cuts += 1;
      client.end(Buffer.from(text.slice(0, at), "latin1"));
      upstream.destroy();
    });
    /** Where to cut these bytes, if they hold a delta that is to be cut. */
    function cutAt(text) {
      const begin = text.indexOf("event: delta\n");
      const data = text.indexOf("data: [{", begin);
      const end = text.indexOf("\n\n", data);
      if (begin < 0 || data < 0 || end < 0 || ++deltas < 2) return -1;
      return [data + 15, end - 4, text.lastIndexOf("\n", end - 1) + 1][proxy.cuts % 3];
    }
  });
  proxy.close = () => {
    for (const socket of proxy.sockets) socket.destroy();
    server.close();
  };
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(Object.assign(proxy, { port: server.address().port }))));
}

/** The rows that a client has, by the rules C1 and C2, at each position. */
class Table {
  rows = null;
  at = -1n;
  /** Position -> sorted rows. */
  seen = new Map();

  take(type, data, id) {
    if (type !== "base" && type !== "delta") return;
    const time = BigInt(/^\d+/.exec(id ?? "")?.[0] ?? -1);
    if (type === "base") this.rows = JSON.parse(data).map((row) => JSON.stringify(row));
    else if (this.rows === null || time <= this.at) return;
    else for (const change of JSON.parse(data)) this.#apply(change);
    this.at = time;
    this.seen.set(id, [...this.rows].sort());
  }

  #apply(change) {
    if (change.insert) return this.rows.push(JSON.stringify(change.insert));
    const place = this.rows.indexOf(JSON.stringify(change.delete));
    // A wrong row stays, and is found when it is compared.
    if (place >= 0) this.rows.splice(place, 1);
  }
}

const clients = {
  "@microsoft/fetch-event-source"(url, table) {
    const stopper = new AbortController();
    fetchEventSource(url, {
      signal: stopper.signal,
      openWhenHidden: true,
      async onopen() {},
      onmessage: ({ event, data, id }) => table.take(event, data, id),
      // It would not come back after an end, and after an error it waits as told.
      onclose() {
        throw new Error("again");
      },
      onerror() {},
    });
    return () => stopper.abort();
  },
  "@sanity/eventsource"(url, table) {
    const source = new SanityEventSource(url);
    for (const type of ["base", "delta"]) source.addEventListener(type, (event) => table.take(type, event.data, event.lastEventId));
    return () => source.close();
  },
  eventsource(url, table) {
    const source = new EventSource(url);
    for (const type of ["base", "delta"]) source.addEventListener(type, (event) => table.take(type, event.data, event.lastEventId));
    return () => source.close();
  },
  "eventsource-client"(url, table) {
    const source = createEventSource({ url, onMessage: ({ event, data, id }) => table.take(event, data, id) });
    return () => source.close();
  },
};

before(() => {
  // The first was written for browsers.
  globalThis.window ??= globalThis;
  globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };
});

for (const [name, open] of Object.entries(clients)) {
  test(`${name} has the right rows however it is cut`, async (t) => {
    const proxy = await cutting();
    const table = new Table();
    const close = open(`http://127.0.0.1:${proxy.port}/${VIEW}/stream`, table);
    t.after(() => {
      close();
      proxy.close();
    });
    const deadline = Date.now() + PATIENCE_MS;
    const until = async (what, holds) => {
      while (!(await holds())) assert.ok(Date.now() < deadline, `waited for ${what}: ${proxy.cuts} cuts, at ${table.at}`);
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await until("cuts", async () => {
      await turn();
      return proxy.cuts >= CUTS;
    });
    let compared = 0;
    await until("tables to compare", async () => {
      const response = await fetch(new URL(`/${VIEW}`, gateway));
      const id = response.headers.get("etag").replaceAll('"', "");
      const expected = (await response.json()).map((row) => JSON.stringify(row)).sort();
      const time = BigInt(/^\d+/.exec(id)[0]);
      await until("the client", async () => {
        await turn();
        return table.at >= time;
      });
      const found = table.seen.get(id);
      if (found) {
        assert.deepEqual(found, expected, `${name} at ${id} behind ${proxy.cuts} cuts`);
        compared += 1;
      }
      return compared >= COMPARED;
    });
  });
}

// node --test web/viewcast.fetch.test.js
// Streams read by fetch, from a server that the test scripts byte by byte.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { serve } from "../tests/browser/scripted-server.mjs";

const BOM = "\uFEFF";
const BASE = 'event: base\ndata: [{"name":"Zürich 🚲","n":1},{"name":"Zürich 🚲","n":1}]\nid: 1-a\n\n';
const DELTA = 'event: delta\ndata: [{"delete":{"name":"Zürich 🚲","n":1}},{"insert":{"name":"a\\r\\n: b","n":2}}]\nid: 2-a\n\n';
const ROWS = [{ name: "Zürich 🚲", n: 1 }, { name: "a\r\n: b", n: 2 }];

function open(t, url, options) {
  const view = new ViewStream(url, options);
  t.after(() => view.close());
  return view;
}

const head = (response, headers = {}) => response.writeHead(200, { "content-type": "text/event-stream", ...headers });

const PATIENCE_MS = 30_000;
/** Resolves once `test` holds after an event of the stream. */
function until(view, test) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited for ${test}; at ${view.position}, ${view.status} ${view.reason}`)), PATIENCE_MS);
    const look = () => {
      if (!test()) return;
      clearTimeout(timer);
      resolve();
    };
    for (const type of ["base", "change", "heartbeat", "status", "error"]) view.addEventListener(type, look);
    look();
  });
}

const streams = {
  line_feeds: BASE + DELTA,
  carriage_returns: (BASE + DELTA).replaceAll("\n", "\r"),
  both: (BASE + DELTA).replaceAll("\n", "\r\n"),
  mixed: BASE.replaceAll("\n", "\r\n") + DELTA.replaceAll("\n", "\r"),
  byte_order_mark: BOM + BASE + DELTA,
  comments_and_unknown_fields: `: hello\n\n:\nretry: soon\nretry: 7\nfoo\nfoo: bar\n\n${BASE}event: news\ndata: x\n\n: more\n\n${DELTA}`,
  data_in_several_lines: (BASE + DELTA).replaceAll(",{", "\ndata: ,{"),
  no_space_after_the_colon: (BASE + DELTA).replaceAll(/^(\w+): /gm, "$1:"),
  id_with_nul_is_no_id: BASE.replace("event", "id: 9-a\0\nevent") + DELTA,
  event_without_data_is_none: `event: delta\nid: 5-a\n\n${BASE}${DELTA}`,
  delta_before_base: DELTA + BASE + DELTA,
};

/** The bytes one by one, as no network promises to keep them apart. */
const piecemeal = (bytes) => new ReadableStream({
  start(controller) {
    for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
  },
});

for (const [name, text] of Object.entries(streams)) {
  const bytes = Buffer.from(text);

  test(`stream_with_${name}_is_read`, async (t) => {
    const { url } = await serve(t, (response) => {
      head(response);
      response.write(bytes);
    });
    const view = open(t, url);
    await until(view, () => view.position === "2-a");
    assert.deepEqual(view.rows(), ROWS);
    assert.equal(view.status, "live");
  });

  test(`stream_with_${name}_is_read_cut_at_every_byte`, async (t) => {
    t.mock.method(globalThis, "fetch", async () => new Response(piecemeal(bytes), { headers: { "content-type": "text/event-stream" } }));
    const view = open(t, "http://x/v/stream");
    const messages = [];
    view.addEventListener("wire", ({ detail }) => messages.push(detail.type));
    await until(view, () => view.position === "2-a");
    assert.deepEqual(view.rows(), ROWS);
    assert.deepEqual(messages.filter((type) => type === "base"), ["base"]);
  });
}

test("huge_base_of_many_pieces_arrives_whole", async (t) => {
  const row = (n) => ({ n, text: "x".repeat(100) });
  const text = `event: base\nid: 1-a\ndata: ${JSON.stringify(Array.from({ length: 100_000 }, (_, n) => row(n)))}\n\n`;
  const { url } = await serve(t, (response) => {
    head(response);
    response.write(text);
  });
  const view = open(t, url);
  await until(view, () => view.size === 100_000);
  assert.deepEqual(view.rows().at(-1), row(99_999));
});

test("token_is_sent_and_asked_for_anew_at_each_connection", async (t) => {
  const { url, requests } = await serve(t, (response, _, n) => {
    head(response);
    response.write("retry: 0\n\n");
    if (n === 1) response.end(BASE);
    else response.write(DELTA);
  });
  let asked = 0;
  const view = open(t, url, { token: async () => `t${(asked += 1)}` });
  await until(view, () => view.position === "2-a");
  assert.deepEqual(requests.map(({ headers }) => headers.authorization), ["Bearer t1", "Bearer t2"]);
  assert.equal(requests[0].headers["last-event-id"], undefined);
  assert.equal(requests[1].headers["last-event-id"], "1-a");
  assert.equal(requests[1].headers.accept, "text/event-stream");
  assert.deepEqual(view.rows(), ROWS);
});

test("retry_is_honoured", async (t) => {
  const delays = [];
  const real = setTimeout;
  t.mock.method(globalThis, "setTimeout", (call, ms) => {
    delays.push(ms);
    return real(call, ms === 25_000 ? 0 : ms);
  });
  const { url } = await serve(t, (response) => {
    head(response);
    response.end(`retry: 25000\n\n${BASE}`);
  });
  const view = open(t, url);
  let bases = 0;
  view.addEventListener("base", () => (bases += 1));
  await until(view, () => bases === 2);
  assert.ok(delays.includes(25_000), delays.join());
});

const refusals = {
  status: (response) => response.writeHead(401).end(),
  type: (response) => response.writeHead(200, { "content-type": "text/html" }).end(BASE),
  broken: (response) => response.destroy(),
};
for (const [name, refuse] of Object.entries(refusals)) {
  test(`refused_by_${name}_is_tried_again`, async (t) => {
    const { url, requests } = await serve(t, (response, _, n) => {
      if (n === 1) return refuse(response);
      head(response, { "content-type": "Text/Event-Stream; charset=utf-8" });
      response.write(BASE + DELTA);
    });
    const view = open(t, url, { token: "t" });
    const seen = [];
    view.addEventListener("status", ({ detail }) => seen.push(detail.status));
    await until(view, () => view.position === "2-a");
    assert.equal(requests.length, 2);
    assert.equal(seen.at(-1), "live");
  });
}

test("token_that_cannot_be_had_is_asked_for_again", async (t) => {
  const { url, requests } = await serve(t, (response) => {
    head(response);
    response.write(BASE);
  });
  let asked = 0;
  const token = () => ((asked += 1) === 1 ? Promise.reject(new Error("no network")) : "t");
  const view = open(t, url, { token });
  await until(view, () => view.position === "1-a");
  assert.equal(requests.length, 1);
});

test("closed_stream_lets_go_of_its_connection", async (t) => {
  const { url } = await serve(t, (response) => {
    head(response);
    response.write(BASE);
    response.on("close", () => response.emit("let go"));
    t.response = response;
  });
  const view = open(t, url);
  await until(view, () => view.position === "1-a");
  const gone = once(t.response, "let go");
  view.close();
  await gone;
  assert.equal(view.size, 2);
});

test("wire_shows_each_event_as_it_came", async (t) => {
  const { url } = await serve(t, (response) => {
    head(response);
    response.write(BASE + DELTA);
  });
  const view = open(t, url);
  const seen = [];
  view.addEventListener("wire", ({ detail }) => seen.push(detail));
  await until(view, () => view.position === "2-a");
  assert.deepEqual(seen.map(({ type, lastEventId }) => [type, lastEventId]), [["base", "1-a"], ["delta", "2-a"]]);
  assert.ok(BASE.includes(seen[0].data));
});

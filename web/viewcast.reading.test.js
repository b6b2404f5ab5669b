// node --test web/viewcast.reading.test.js
// Who reads a stream, and that nothing of it stays when nobody does.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { afterEach, beforeEach, mock, test } from "node:test";
import { promisify } from "node:util";
import { get } from "../tests/browser/node_modules/svelte/src/store/index-server.js";
import { ViewStream } from "./viewcast.js";
import { FakeEventSource, latest, start } from "../tests/browser/fake-eventsource.mjs";

/** As long as a lazy stream waits for the next reader. */
const LINGER_MS = 5_000;
const MODULE = new URL("./viewcast.js", import.meta.url).href;

beforeEach(() => {
  FakeEventSource.opened = [];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

const lazy = (options) => new ViewStream("http://gateway/v/stream", { EventSource: FakeEventSource, connect: "lazy", ...options });
const base = (time, rows) => latest().send("base", `${time}-a`, rows);
/** Those that are not closed. */
const open = () => FakeEventSource.opened.filter(({ readyState }) => readyState !== 2).length;

test("lazy_stream_opens_with_its_first_subscriber_and_closes_some_time_after_the_last", () => {
  const view = lazy();
  assert.deepEqual([open(), view.status], [0, "idle"]);
  const seen = [];
  const leave = view.subscribe(({ status, rows }) => seen.push([status, rows.length]));
  assert.deepEqual([open(), view.status], [1, "connecting"]);
  const leaveToo = view.subscribe(() => {});
  latest().open();
  base(1, [{ n: 1 }]);
  assert.deepEqual(seen, [["connecting", 0], ["live", 1]], "each state once, and no state twice");
  leave();
  leave();
  mock.timers.tick(LINGER_MS);
  assert.equal(open(), 1, "one of two has left, and that only once");
  leaveToo();
  mock.timers.tick(LINGER_MS - 1);
  assert.equal(open(), 1);
  mock.timers.tick(1);
  assert.deepEqual([open(), view.status, view.size], [0, "idle", 1], "the rows stay");
  view.subscribe(() => {});
  assert.match(latest().url, /last-event-id=1-a$/, "and it goes on from where it was");
});

test("reader_that_comes_back_at_once_finds_the_connection_open", () => {
  // As React's StrictMode and hot reloads do.
  const view = lazy();
  for (let n = 0; n < 3; n += 1) {
    const leave = view.subscribe(() => {});
    mock.timers.tick(LINGER_MS - 1);
    leave();
    mock.timers.tick(LINGER_MS - 1);
  }
  assert.deepEqual([open(), FakeEventSource.opened.length], [1, 1]);
});

test("loops_and_promises_are_readers_too", async () => {
  const view = lazy();
  const loop = view[Symbol.asyncIterator]();
  const turn = loop.next();
  assert.equal(open(), 1);
  base(1, [{ n: 1 }]);
  await turn;
  await loop.return();
  mock.timers.tick(LINGER_MS);
  assert.equal(open(), 0);
  const waiting = view.until("5-a");
  assert.equal(open(), 1);
  latest().send("delta", "7-a", []);
  assert.equal(await waiting, view);
  mock.timers.tick(LINGER_MS);
  assert.equal(open(), 0);
  view.close();
  await assert.rejects(view.until("9-a"), /closed/);
});

test("subscriptions_are_no_business_of_a_stream_that_is_not_lazy", () => {
  const { view } = start();
  view.subscribe(() => {})();
  mock.timers.tick(LINGER_MS);
  assert.equal(open(), 1);
  view.close();
});

test("paused_lazy_stream_stays_paused_and_idle_after", () => {
  const view = lazy();
  const leave = view.subscribe(() => {});
  view.pause();
  leave();
  mock.timers.tick(LINGER_MS);
  assert.deepEqual([view.status, view.reason, open()], ["stale", "paused", 0]);
  view.resume();
  assert.deepEqual([view.status, open()], ["idle", 0], "nobody reads it");
  view.subscribe(() => {});
  assert.equal(open(), 1);
});

test("one_view_of_several_is_a_reader_of_their_connection", () => {
  const both = new ViewStream("http://gateway/stream?view=a&view=b", { EventSource: FakeEventSource, connect: "lazy" });
  assert.equal(open(), 0);
  const leave = both.view("a").subscribe(() => {});
  assert.equal(open(), 1);
  latest().open();
  latest().send("a.base", "", [{ n: 1 }]);
  latest().send("b.base", "", []);
  latest().send("consistent", "1-a.1-b", { position: 1 });
  assert.deepEqual([both.view("a").status, both.view("a").size], ["live", 1]);
  leave();
  mock.timers.tick(LINGER_MS);
  assert.deepEqual([open(), both.status, both.view("a").status], [0, "idle", "idle"]);
});

test("subscriber_that_throws_is_in_nobodys_way", async () => {
  const { view } = start();
  const thrown = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error.message));
  let calls = 0;
  view.subscribe(() => { if ((calls += 1) === 2) throw new Error("mine"); });
  const seen = [];
  view.subscribe(({ status }) => seen.push(status));
  base(1, [{ n: 1 }]);
  await new Promise(setImmediate);
  process.removeAllListeners("uncaughtException");
  for (const listener of before) process.on("uncaughtException", listener);
  assert.deepEqual([seen, thrown, view.status], [["connecting", "live"], ["mine"], "live"]);
  view.close();
});

test("stream_is_a_store_of_svelte", () => {
  const { view } = start();
  base(1, [{ n: 1 }]);
  assert.deepEqual(get(view).rows, [{ n: 1 }]);
  view.close();
});

test("frames_put_several_changes_together", () => {
  const frames = [];
  globalThis.requestAnimationFrame = (call) => frames.push(call);
  try {
    const { view } = start({ batch: "frame" });
    const seen = [];
    view.subscribe(({ rows }) => seen.push(rows.length));
    base(1, [{ n: 1 }]);
    for (let time = 2; time < 100; time += 1) latest().send("delta", `${time}-a`, [{ insert: { n: time } }]);
    assert.deepEqual([seen, frames.length], [[0], 1]);
    frames.pop()();
    assert.deepEqual(seen, [0, 99]);
    latest().send("delta", "100-a", [{ insert: { n: 100 } }]);
    frames.pop()();
    assert.deepEqual(seen, [0, 99, 100]);
    view.close();
  } finally {
    delete globalThis.requestAnimationFrame;
  }
});

test("signal_and_dispose_close", () => {
  const abort = new AbortController();
  const { view } = start({ signal: abort.signal });
  abort.abort();
  assert.deepEqual([view.status, open()], ["closed", 0]);
  const none = new ViewStream("http://gateway/v/stream", { EventSource: FakeEventSource, signal: abort.signal });
  assert.deepEqual([none.status, open()], ["closed", 0]);
  const other = start().view;
  other[Symbol.dispose]();
  assert.equal(other.status, "closed");
});

test("closed_stream_lets_go_of_its_signal", () => {
  const { signal } = new AbortController();
  const listeners = [];
  mock.method(signal, "addEventListener", (...pair) => listeners.push(pair));
  mock.method(signal, "removeEventListener", (type, listener) => assert.deepEqual([type, listener], listeners.pop()));
  start({ signal }).view.close();
  assert.deepEqual(listeners, []);
});

test("ready_waits_for_rows_of_the_gateway", async () => {
  const { view } = start();
  let isReady = false;
  const ready = view.ready.then((it) => (isReady = it === view));
  await null;
  latest().send("upstream", "", '"lost"');
  await null;
  assert.equal(isReady, false);
  base(1, []);
  await ready;
  assert.equal(isReady, true);
  await view.ready;
  view.close();
});

test("until_is_a_timestamp_that_the_rows_have_reached", async () => {
  const { view } = start();
  const reached = [];
  for (const position of ["18446744073709551614-a", 18446744073709551613n, 5, "-.6-b.7-c"]) view.until(position).then(() => reached.push(position));
  base(5, []);
  await new Promise(setImmediate);
  assert.deepEqual(reached, [5]);
  latest().send("delta", "18446744073709551613-a", []);
  await new Promise(setImmediate);
  assert.deepEqual(reached, [5, 18446744073709551613n, "-.6-b.7-c"]);
  const last = view.until("18446744073709551614-a");
  latest().send("delta", "18446744073709551615-a", [{ insert: { n: 1 } }]);
  assert.deepEqual((await last).rows(), [{ n: 1 }]);
  view.close();
});

test("page_that_is_online_again_tries_at_once_and_a_hidden_one_pauses", () => {
  const page = new EventTarget();
  const names = ["addEventListener", "removeEventListener"];
  for (const name of names) globalThis[name] = page[name].bind(page);
  globalThis.document = { baseURI: "http://gateway/somewhere/" };
  try {
    const view = new ViewStream("../v/stream", { EventSource: FakeEventSource });
    assert.equal(latest().url, "http://gateway/v/stream");
    latest().fail(true);
    assert.equal(open(), 0);
    page.dispatchEvent(new Event("online"));
    assert.equal(open(), 1);
    page.dispatchEvent(new Event("online"));
    assert.equal(FakeEventSource.opened.length, 2, "one that is being made is left alone");
    page.dispatchEvent(new Event("pagehide"));
    assert.deepEqual([open(), view.reason], [0, "paused"]);
    page.dispatchEvent(new Event("online"));
    assert.equal(open(), 0);
    page.dispatchEvent(new Event("pageshow"));
    assert.equal(open(), 1);
    view.close();
    page.dispatchEvent(new Event("pageshow"));
    assert.equal(open(), 0);
    // An idle stream leaves nothing on the page.
    const added = mock.method(globalThis, "addEventListener");
    const removed = mock.method(globalThis, "removeEventListener");
    const idle = lazy();
    assert.equal(added.mock.callCount(), 0);
    idle.subscribe(() => {})();
    mock.timers.tick(LINGER_MS);
    assert.equal(idle.status, "idle");
    assert.deepEqual(removed.mock.calls.slice(-added.mock.callCount()).map(({ arguments: [type] }) => type), added.mock.calls.map(({ arguments: [type] }) => type));
    assert.ok(added.mock.callCount() > 0);
  } finally {
    for (const name of [...names, "document"]) delete globalThis[name];
  }
});

test("relative_address_without_a_document_throws", () => {
  assert.throws(() => new ViewStream("/v/stream", { EventSource: FakeEventSource }), TypeError);
  const view = new ViewStream("/v/stream", { EventSource: FakeEventSource, connect: "lazy" });
  assert.deepEqual(view.snapshot(), { rows: [], status: "idle", reason: "", error: null, position: null }, "what a server draws");
  assert.throws(() => view.subscribe(() => {}), TypeError);
  assert.equal(FakeEventSource.opened.length, 0);
});

/** What a program says that runs to its end by itself, and how long that took, in ms. */
async function run(script) {
  const from = Date.now();
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], { timeout: 60_000 });
  return [stdout.trim(), Date.now() - from];
}

test("import_opens_nothing_and_lets_the_program_end", async () => {
  const script = `
    const opened = [];
    for (const name of ["fetch", "EventSource", "SharedWorker", "setTimeout", "addEventListener"]) globalThis[name] = new Proxy(class {}, { construct() { opened.push(name); return {}; }, apply() { opened.push(name); } });
    await import(${JSON.stringify(MODULE)});
    console.log(JSON.stringify(opened));`;
  assert.equal((await run(script))[0], "[]");
});

test("timers_do_not_keep_a_program_alive_but_its_readers_do", async () => {
  // Nobody listens there: the stream waits for its next try.
  const begin = `import { createServer } from "node:http";
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    const { ViewStream } = await import(${JSON.stringify(MODULE)});
    const view = new ViewStream(\`http://127.0.0.1:\${port}/v/stream\`);
    await new Promise((resolve) => view.addEventListener("status", ({ detail }) => detail.status === "failed" && resolve()));`;
  assert.equal((await run(`${begin} console.log("at its end");`))[0], "at its end");
  const reads = `${begin} let failures = 0;
    const source = view.subscribe(() => {});
    const { log } = console;
    globalThis.fetch = () => { log("tried again"); view.close(); return new Promise(() => {}); };`;
  assert.equal((await run(reads))[0], "tried again");
});

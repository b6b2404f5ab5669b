// node --test web/viewcast.shared.test.js
// Ten tabs, one connection: the module's two sides, joined by real message
// ports, over a fake EventSource. Chromium's own worker is tried in
// tests/browser/shared.test.mjs.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { FakeEventSource } from "../tests/browser/fake-eventsource.mjs";

const ports = new Set();
/** Whether a worker can be had. */
let workers = "work";
class FakeSharedWorker {
  constructor(url, { type, name }) {
    if (workers === "forbidden") throw new Error("SecurityError");
    assert.equal(type, "module");
    assert.equal(name, "viewcast-2");
    const { port1, port2 } = new MessageChannel();
    ports.add(port1).add(port2);
    this.port = port1;
    if (workers === "work") globalThis.onconnect({ ports: [port2] });
    if (workers === "broken") setTimeout(() => this.onerror(new Event("error")));
  }
}
Object.assign(globalThis, { SharedWorkerGlobalScope: class {}, EventSource: FakeEventSource });
await import("./viewcast.worker.js");
Object.assign(globalThis, { SharedWorker: FakeSharedWorker, SharedWorkerGlobalScope: undefined });
const { ViewStream } = await import("./viewcast.js");

after(() => ports.forEach((port) => port.close()));
beforeEach(() => {
  FakeEventSource.opened = [];
  workers = "work";
});

const open = (path, options) => new ViewStream(`http://x/${path}`, { shared: true, ...options });
const sources = () => FakeEventSource.opened;
async function until(test) {
  for (let n = 0; !test(); n += 1) {
    assert.ok(n < 10_000, `waited for ${test}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("tabs_share_a_connection_and_a_late_one_gets_the_rows", async () => {
  const tabs = [open("a"), open("a")];
  await until(() => sources().length > 0);
  const [source] = sources();
  source.open();
  source.send("base", "1-a", [{ n: 1 }, { n: 1 }]);
  await until(() => tabs.every(({ status }) => status === "live"));
  source.send("delta", "2-a", '[{"insert":{"n":1.0}}]');
  const late = open("a");
  await until(() => late.size === 3 && tabs.every(({ size }) => size === 3));
  for (const tab of [...tabs, late]) assert.deepEqual([tab.position, tab.status], ["2-a", "live"]);
  // The late one's identities are the wire's, too: 1.0 is not 1.
  source.send("delta", "3-a", '[{"delete":{"n":1.0}},{"delete":{"n":1}}]');
  await until(() => [...tabs, late].every(({ size }) => size === 1));
  assert.equal(sources().length, 1);
  [...tabs, late].forEach((tab) => tab.close());
  await until(() => source.readyState === 2);
});

test("tab_that_comes_while_a_base_is_awaited_misses_nothing", async () => {
  const first = open("b");
  await until(() => sources().length > 0);
  const [source] = sources();
  source.open();
  source.send("delta", "7-b", [{ insert: { m: 2 } }]);
  const late = open("b");
  source.send("base", "6-b", [{ m: 1 }]);
  await until(() => first.position === "7-b" && late.position === "7-b");
  assert.deepEqual(late.rows(), [{ m: 1 }, { m: 2 }]);
  assert.deepEqual(first.rows(), late.rows());
  first.close();
  late.close();
});

test("what_the_worker_lacks_every_tab_says", async () => {
  const tab = open("c");
  await until(() => sources().length > 0);
  const [source] = sources();
  source.open();
  source.send("base", "1-a", [{ n: 1 }]);
  await until(() => tab.status === "live");
  source.fail();
  await until(() => tab.status === "connecting");
  const late = open("c");
  await until(() => late.size === 1);
  assert.equal(late.status, "connecting", "old rows are not passed off as live ones");
  source.open();
  source.send("delta", "2-a", []);
  await until(() => tab.status === "live" && late.status === "live");
  source.send("upstream", "2-a", '"lost"');
  await until(() => tab.reason === "upstream lost" && late.reason === "upstream lost");
  source.send("gone", "2-a", { reason: "view was dropped" });
  await until(() => tab.status === "gone" && late.status === "gone");
  const last = open("c");
  await until(() => last.size === 1);
  assert.equal(last.status, "gone");
  source.fail();
  source.open();
  source.send("base", "1-b", []);
  await until(() => [tab, late, last].every(({ status, size }) => status === "live" && size === 0));
  [tab, late, last].forEach((each) => each.close());
});

test("paused_tab_leaves_and_comes_back_with_a_base", async () => {
  const [tab, other] = [open("d"), open("d")];
  await until(() => sources().length > 0);
  const [source] = sources();
  source.send("base", "1-a", [{ n: 1 }]);
  await until(() => tab.size === 1 && other.size === 1);
  tab.pause();
  source.send("delta", "2-a", [{ insert: { n: 2 } }]);
  await until(() => other.size === 2);
  assert.equal(tab.size, 1);
  tab.resume();
  await until(() => tab.size === 2 && tab.status === "live");
  assert.equal(sources().length, 1);
  tab.close();
  other.close();
  await until(() => source.readyState === 2);
});

test("tokens_and_urls_that_differ_are_not_shared", async (t) => {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (url, { headers }) => {
    asked.push(`${new URL(url).pathname} ${headers.authorization}`);
    return new Response(`event: base\nid: 1-a\ndata: [{"for":"${headers.authorization}"}]\n\n`, { headers: { "content-type": "text/event-stream" } });
  });
  let fresh = 0;
  const tabs = [open("e", { token: "t1" }), open("e", { token: "t1" }), open("e", { token: "t2" }), open("f", { token: () => `u${(fresh += 1)}` })];
  await until(() => tabs.every(({ size }) => size === 1));
  assert.deepEqual(asked.slice(0, 3).sort(), ["/e Bearer t1", "/e Bearer t2", "/f Bearer u1"]);
  assert.deepEqual(tabs.map((tab) => tab.rows()[0].for), ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer u1"]);
  // Each answer ended, so the worker connects again, with a token asked for anew.
  await new Promise((resolve) => tabs[3].addEventListener("base", resolve));
  assert.ok(asked.includes("/f Bearer u2"), asked.join());
  tabs.forEach((tab) => tab.close());
});

test("token_that_is_refused_is_asked_for_anew", async (t) => {
  t.mock.method(globalThis, "fetch", async (url, { headers }) => (headers.authorization === "Bearer old" ? new Response("", { status: 401 })
    : new Response(`event: base\nid: 1-a\ndata: [{"n":1}]\n\n`, { headers: { "content-type": "text/event-stream" } })));
  const tokens = ["old", "new"];
  const tab = open("m", { token: () => tokens.shift() });
  await new Promise((resolve) => tab.addEventListener("base", resolve));
  assert.deepEqual(tab.rows(), [{ n: 1 }]);
  tab.close();
});

test("windows_that_differ_are_not_shared_and_equal_ones_are", async () => {
  const rows = (name) => [{ for: name }];
  const options = [
    { filter: { user: "a", paid: true } },
    { filter: { paid: true, user: "a" } },
    { filter: { user: "b", paid: true } },
    { filter: { user: "a", paid: true }, select: ["for"] },
    {},
  ];
  const tabs = options.map((each) => open("h", each));
  await until(() => sources().length === 4);
  const queries = sources().map(({ url }) => decodeURIComponent(url.split("?")[1] ?? ""));
  assert.deepEqual(queries, ["paid=is.true&user=eq.a", "paid=is.true&user=eq.b", "paid=is.true&select=for&user=eq.a", ""]);
  sources().forEach((source, n) => source.send("base", `1-${n}`, rows(n)));
  await until(() => tabs.every(({ size }) => size === 1));
  assert.deepEqual(tabs.map((tab) => tab.rows()[0].for), [0, 0, 1, 2, 3]);
  sources()[1].send("delta", "2-1", [{ insert: { for: "b" } }]);
  await until(() => tabs[2].size === 2);
  assert.deepEqual(tabs.map(({ size }) => size), [1, 1, 2, 1, 1]);
  const late = open("h", options[2]);
  await until(() => late.size === 2);
  assert.equal(sources().length, 4, "a late tab finds its window");
  [...tabs, late].forEach((tab) => tab.close());
  await until(() => sources().every(({ readyState }) => readyState === 2));
});

const joint = (options) => open("stream?view=a&view=b", options);
/** What all tabs hold of both views. */
const held = (tabs) => tabs.map((tab) => [tab.position, ...["a", "b"].map((name) => tab.view(name).json())]);

test("tabs_share_a_connection_of_several_views", async () => {
  const tabs = [joint(), joint()];
  await until(() => sources().length > 0);
  const [source] = sources();
  source.open();
  source.send("a.base", "", [{ n: 1 }]);
  source.send("b.base", "", [{ n: 1 }]);
  source.send("consistent", "1-a.1-b", { position: 1 });
  await until(() => tabs.every(({ status }) => status === "live"));
  // A tab that comes between two times has what the views hold, and what is held back.
  source.send("a.delta", "1-a.1-b", '[{"insert":{"n":2}}]');
  const late = joint();
  await until(() => late.status === "live");
  assert.deepEqual(held([late]), held(tabs.slice(0, 1)));
  source.send("b.delta", "1-a.1-b", '[{"delete":{"n":1}}]');
  source.send("consistent", "2-a.2-b", { position: 2 });
  await until(() => [...tabs, late].every(({ position }) => position === "2-a.2-b"));
  for (const each of held([...tabs, late])) assert.deepEqual(each, ["2-a.2-b", '[{"n":1},{"n":2}]', "[]"]);
  // What came before the connection broke comes again: no tab counts it twice.
  source.send("a.delta", "2-a.2-b", '[{"insert":{"n":3}}]');
  source.fail();
  await until(() => late.status === "connecting");
  source.open();
  source.send("a.delta", "2-a.2-b", '[{"insert":{"n":3}}]');
  source.send("consistent", "3-a.3-b", { position: 3 });
  await until(() => [...tabs, late].every(({ position }) => position === "3-a.3-b"));
  for (const each of held([...tabs, late])) assert.deepEqual(each.slice(1), ['[{"n":1},{"n":2},{"n":3}]', "[]"]);
  source.send("b.gone", "", { reason: "dropped" });
  source.send("consistent", "4-a.-", { position: 4 });
  await until(() => late.position === "4-a.-");
  const last = joint();
  await until(() => last.position === "4-a.-");
  assert.deepEqual([last.view("a").size, last.view("b").status, last.view("b").reason], [3, "gone", "dropped"]);
  assert.equal(sources().length, 1);
  [...tabs, late, last].forEach((tab) => tab.close());
  await until(() => source.readyState === 2);
});

test("broken_connections_while_connecting_leave_no_half_changes_in_a_tab", async () => {
  const tab = joint();
  await until(() => sources().length > 0);
  const [source] = sources();
  source.open();
  source.send("a.base", "", []);
  source.send("b.base", "", []);
  source.send("consistent", "1-a.1-b", { position: 1 });
  await until(() => tab.status === "live");
  for (let n = 0; n < 3; n += 1) {
    source.fail();
    source.open();
    source.send("a.delta", "1-a.1-b", '[{"insert":{"n":1}}]');
  }
  source.send("consistent", "2-a.2-b", { position: 2 });
  await until(() => tab.position === "2-a.2-b");
  assert.deepEqual(tab.view("a").rows(), [{ n: 1 }]);
  tab.close();
});

test("why_there_is_no_stream_every_tab_says", async (t) => {
  t.mock.method(globalThis, "fetch", async () => new Response('{"error":"no such view","hint":"See /views."}', { status: 404, headers: { "content-type": "application/json" } }));
  const tabs = [open("i"), open("i")];
  await until(() => sources().length > 0);
  sources()[0].fail(true);
  await until(() => tabs.every(({ status }) => status === "failed"));
  const late = open("i");
  await until(() => late.status === "failed");
  for (const tab of [...tabs, late]) assert.deepEqual(tab.error, { status: 404, message: "no such view", hint: "See /views.", permanent: true });
  [...tabs, late].forEach((tab) => tab.close());
});

test("first_tab_gives_the_worker_the_rows_that_it_has_kept", async () => {
  const kept = { position: "7-a", rows: '[{"n":1},{"n":1.0}]' };
  const tab = open("k", { persist: { get: () => kept, set() {} } });
  await until(() => sources().length > 0);
  assert.match(sources()[0].url, /last-event-id=7-a$/);
  assert.deepEqual([tab.status, tab.size], ["stale", 2]);
  const other = open("k");
  await until(() => other.size === 2);
  assert.equal(other.status, "stale", "they are old for every tab");
  sources()[0].open();
  sources()[0].send("delta", "8-a", '[{"delete":{"n":1.0}}]');
  await until(() => [tab, other].every(({ status, size }) => status === "live" && size === 1));
  tab.close();
  other.close();
});

test("worker_of_ones_own_is_used", async () => {
  let made = 0;
  const worker = () => {
    made += 1;
    return new FakeSharedWorker("", { type: "module", name: "viewcast-2" });
  };
  const tab = open("l", { shared: undefined, worker });
  await until(() => sources().length > 0);
  assert.equal(made, 1);
  tab.close();
});

test("worker_that_says_nothing_leaves_each_its_own_connection", async (t) => {
  workers = "silent";
  const warn = t.mock.method(console, "warn", () => {});
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const tab = open("g");
  t.mock.timers.tick(1_999);
  assert.deepEqual([sources().length, tab.status], [0, "connecting"]);
  t.mock.timers.tick(1);
  assert.equal(sources().length, 1);
  assert.match(warn.mock.calls[0].arguments[0], /option worker/);
  sources()[0].send("base", "1-a", [{ n: 1 }]);
  assert.equal(tab.status, "live");
  tab.close();
});

for (const how of ["forbidden", "broken"]) {
  test(`worker_${how}_leaves_each_its_own_connection`, async (t) => {
    t.mock.method(console, "warn", () => {});
    workers = how;
    const tab = open("g");
    await until(() => sources().length === 1);
    sources()[0].send("base", "1-a", [{ n: 1 }]);
    assert.equal(tab.status, "live");
    tab.close();
  });
}

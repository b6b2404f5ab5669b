// node --test web/viewcast.persist.test.js
// Rows that are kept, in a store of one's own. IndexedDB is tried in tests/browser/module.test.mjs.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { FakeEventSource, latest } from "../tests/browser/fake-eventsource.mjs";

const URL_V = "http://gateway/v/stream";

/** A store like localStorage: what is kept goes through JSON. */
class Store {
  kept = new Map();
  sets = 0;
  async get(key) { return this.kept.has(key) ? JSON.parse(this.kept.get(key)) : null; }
  async set(key, value) {
    this.sets += 1;
    this.kept.set(key, JSON.stringify(value));
  }
}

let warnings;
beforeEach(() => {
  FakeEventSource.opened = [];
  warnings = [];
  mock.method(console, "warn", (text) => warnings.push(text));
});
afterEach(() => mock.restoreAll());

async function until(test) {
  for (let n = 0; !test(); n += 1) {
    assert.ok(n < 10_000, `waited for ${test}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A stream that has its connection, and what was said by then. */
async function open(store, options = {}) {
  const view = new ViewStream(options.url ?? URL_V, { EventSource: FakeEventSource, persist: store, ...options });
  const said = [];
  for (const type of ["status", "base", "change"]) view.addEventListener(type, ({ detail }) => said.push([type, detail.reason || detail.status || detail.inserted.length]));
  const opened = FakeEventSource.opened.length;
  await until(() => FakeEventSource.opened.length > opened || view.status === "closed");
  return { view, said };
}

test("rows_are_there_at_once_and_the_stream_goes_on_from_them", async () => {
  const store = new Store();
  const first = await open(store);
  assert.equal(latest().url, URL_V);
  latest().open();
  latest().send("base", "18446744073709551613-a", '[{"n":1},{"n":1},{"n":1.0}]');
  first.view.close();
  await until(() => store.sets === 1);
  const { view, said } = await open(store);
  assert.deepEqual([view.status, view.reason, view.size], ["stale", "rows of before", 3]);
  assert.match(latest().url, /last-event-id=18446744073709551613-a$/);
  let isReady = false;
  view.ready.then(() => (isReady = true));
  latest().open();
  await null;
  assert.equal(isReady, false, "these rows are not the gateway's");
  latest().send("delta", "18446744073709551614-a", '[{"delete":{"n":1.0}},{"insert":{"n":2}}]');
  assert.deepEqual([view.status, view.rows()], ["live", [{ n: 1 }, { n: 1 }, { n: 2 }]]);
  await until(() => isReady);
  assert.deepEqual(said, [["status", "rows of before"], ["base", 3], ["status", "live"], ["change", 1]]);
  view.close();
});

test("base_in_place_of_going_on_is_told_as_what_it_changes", async () => {
  const store = new Store();
  const first = await open(store);
  latest().send("base", "1-a", [{ n: 1 }, { n: 2 }]);
  first.view.close();
  await until(() => store.sets === 1);
  const { view } = await open(store);
  const before = view.rows();
  const bases = [];
  view.addEventListener("base", ({ detail }) => bases.push(detail));
  latest().open();
  // The view was changed meanwhile: another incarnation, with another column.
  latest().send("base", "1-b", [{ n: 2 }, { n: 3, m: 1 }]);
  assert.deepEqual(bases, [{ size: 2, inserted: [{ n: 3, m: 1 }], deleted: [{ n: 1 }], position: "1-b" }]);
  assert.equal(view.rows()[0], before[1]);
  view.close();
});

test("each_address_filter_and_bearer_has_rows_of_its_own", async () => {
  const store = new Store();
  const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
  const asked = [{}, { filter: { n: 1 } }, { select: ["n"] }, { url: "http://gateway/w/stream" }, { token: "t1" }, { token: "t1", url: "http://gateway/w/stream" }, { token: async () => "t2" },
    { token: token({ sub: "Åsa", exp: 1 }) }, { token: token({ sub: "Bo", exp: 1 }) }];
  for (const [n, options] of asked.entries()) {
    const { view } = await open(store, options);
    assert.deepEqual(view.rows(), []);
    latest().send("base", "1-a", [{ n }]);
    view.close();
    await until(() => store.sets === n + 1);
  }
  assert.equal(store.kept.size, asked.length);
  assert.ok([...store.kept.keys()].every((key) => !/t1|t2|e30/.test(key)), "no token is kept");
  // A token that is new, but of the same bearer.
  const { view } = await open(store, { token: token({ exp: 2, jti: "x", sub: "Åsa" }) });
  assert.deepEqual(view.rows(), [{ n: 7 }]);
  view.close();
});

test("store_that_fails_is_as_none", async () => {
  const fails = () => { throw new Error("no room"); };
  const rejects = async () => fails();
  for (const store of [{ get: fails, set: fails }, { get: rejects, set: rejects }, { get: () => null, set: rejects }, { get: () => ({ rows: "[7]", position: "1-a" }), set() {} }, { get: () => ({ rows: "[]", position: "x" }), set() {} }, { get: () => "nonsense", set() {} }, {}]) {
    const { view } = await open(store);
    latest().open();
    latest().send("base", "1-a", [{ n: 1 }]);
    assert.equal(view.status, "live");
    view.pause();
    await until(() => true);
    view.resume();
    latest().send("delta", "2-a", [{ insert: { n: 2 } }]);
    view.close();
    await new Promise(setImmediate);
    assert.equal(view.size, 2);
  }
  assert.ok(warnings.length >= 5 && warnings.every((text) => /^viewcast: .*(kept)/.test(text)), warnings.join("\n"));
});

test("store_that_never_answers_is_not_waited_for", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const view = new ViewStream(URL_V, { EventSource: FakeEventSource, persist: { get: () => new Promise(() => {}), set() {} } });
    // The module is loaded when it is asked for.
    for (let n = 0; n < 1_000 && FakeEventSource.opened.length === 0; n += 1) {
      await new Promise(setImmediate);
      mock.timers.tick(100);
    }
    assert.equal(FakeEventSource.opened.length, 1);
    view.close();
  } finally {
    mock.timers.reset();
  }
});

test("large_views_are_not_kept", async () => {
  const store = new Store();
  const { view } = await open(store);
  latest().send("base", "1-a", [{ text: "x".repeat(8_000_000) }]);
  view.pause();
  await new Promise(setImmediate);
  assert.equal(store.sets, 0);
  view.close();
});

test("what_is_kept_is_written_now_and_then_and_only_if_it_is_new", async () => {
  const store = new Store();
  const { view } = await open(store);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    latest().send("base", "1-a", [{ n: 0 }]);
    mock.timers.tick(500);
    assert.equal(store.sets, 1);
    for (let time = 2; time < 100; time += 1) latest().send("delta", `${time}-a`, [{ insert: { n: time } }]);
    mock.timers.tick(4_999);
    assert.equal(store.sets, 1);
    mock.timers.tick(1);
    assert.equal(store.sets, 2);
    latest().send("delta", "99-a", []);
    mock.timers.tick(5_000);
    view.close();
    assert.equal(store.sets, 2, "nothing new");
  } finally {
    mock.timers.reset();
  }
});

test("several_views_are_not_kept_and_that_is_said", () => {
  assert.throws(() => new ViewStream("http://gateway/stream?view=a&view=b", { EventSource: FakeEventSource, persist: "indexeddb" }), /option persist is for a stream of one view/);
});

// node --test web/viewcast.test.js
// Named hostile streams; a fake EventSource stands in for the network. The
// random test against an oracle is viewcast.oracle.test.js.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { FakeEventSource, latest, sorted, start } from "../tests/browser/fake-eventsource.mjs";

const ins = (row) => ({ insert: row });
const del = (row) => ({ delete: row });

beforeEach(() => {
  FakeEventSource.opened = [];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

test("base_fills_the_view", () => {
  const { view, of } = start();
  assert.equal(view.status, "connecting");
  assert.equal(view.position, null);
  assert.equal(view.timestamp, null);
  latest().send("base", "10-a", [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 2 }]);
  assert.equal(view.size, 2);
  assert.equal(view.position, "10-a");
  assert.equal(view.timestamp, 10n);
  assert.deepEqual(of("base"), [{ size: 2, inserted: [{ n: 1 }, { n: 2 }], deleted: [], position: "10-a" }]);
  assert.deepEqual(of("status"), [{ status: "live", reason: "", error: null }]);
});

test("delta_before_base_waits_for_it", () => {
  const { view, of } = start();
  latest().send("delta", "9-a", [ins({ n: 0 })]);
  latest().send("delta", "10-a", []);
  latest().send("delta", "11-a", [del({ n: 1 }), ins({ n: 3 })]);
  latest().send("delta", "11-a", [del({ n: 1 }), ins({ n: 3 })]);
  assert.equal(view.size, 0);
  latest().send("base", "10-a", [{ n: 0 }, { n: 1 }]);
  assert.deepEqual(view.rows(), [{ n: 0 }, { n: 3 }]);
  assert.equal(view.position, "11-a");
  assert.deepEqual(of("change"), [{ inserted: [{ n: 3 }], deleted: [{ n: 1 }], position: "11-a" }]);
});

test("delta_at_or_below_position_changes_nothing", () => {
  const { view, of } = start();
  latest().send("base", "10-a", [{ n: 1 }]);
  latest().send("delta", "10-a", [ins({ n: 2 })]);
  latest().send("delta", "9-a", [del({ n: 1 })]);
  latest().send("delta", "11-a", [ins({ n: 2 })]);
  latest().send("delta", "11-a", [ins({ n: 2 })]);
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 2 }]);
  assert.equal(of("change").length, 1);
});

test("timestamps_of_twenty_digits_are_compared_whole", () => {
  const { view } = start();
  // As floats the three are equal; as text "9..." is the greatest.
  latest().send("base", "18446744073709551613-a", []);
  latest().send("delta", "18446744073709551614-a", [ins({ n: 1 })]);
  latest().send("delta", "9999999999999999999-a", [ins({ n: 2 })]);
  latest().send("delta", "18446744073709551615-a", [ins({ n: 3 })]);
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 3 }]);
  assert.equal(view.timestamp, 18446744073709551615n);
});

test("multiplicities_are_kept", () => {
  const { view, of } = start();
  latest().send("base", "1-a", [{ n: 1 }, { n: 1 }, { n: 1 }, {}]);
  assert.equal(view.size, 4);
  latest().send("delta", "2-a", [del({ n: 1 }), del({ n: 1 }), ins({ n: 2 }), ins({ n: 2 })]);
  assert.deepEqual(view.rows(), [{ n: 1 }, {}, { n: 2 }, { n: 2 }]);
  assert.deepEqual([...view.entries()], [[{ n: 1 }, 1], [{}, 1], [{ n: 2 }, 2]]);
  assert.deepEqual(of("change")[0].deleted, [{ n: 1 }, { n: 1 }]);
});

test("identity_is_the_text_where_values_would_collide", () => {
  const { view } = start();
  latest().send("base", "1-a", '[{"j":1.0},{"j":1},{"j":-0},{"j":0},{"j":12345678901234567890},{"j":12345678901234567891}]');
  assert.equal([...view.entries()].length, 6);
  latest().send("delta", "2-a", '[{"delete":{"j":-0}},{"delete":{"j":1.0}},{"insert":{"j":{"2":0,"1":0}}}]');
  latest().send("delta", "3-a", '[{"delete":{"j":{"2":0,"1":0}}}]');
  assert.equal(view.status, "live");
  assert.ok(view.rows().some((row) => Object.is(row.j, 0)));
  assert.ok(!view.rows().some((row) => Object.is(row.j, -0)));
});

test("text_is_cut_right_whatever_stands_in_it", () => {
  const nasty = ['"', "\\", '\\"', "]}", "[{", '{"insert":{}}', "", "\u2028\n\r\0", "😀", '"},{"', "\\\\\\"];
  const rows = nasty.flatMap((text) => [{ [`k${text}`]: text }, { a: [text, { b: [text, []] }], __proto__: null }]);
  const { view } = start();
  latest().send("base", "1-a", JSON.stringify(rows, null, 1));
  assert.deepEqual(sorted(view.rows()), sorted(rows));
  view.close();
  const other = start();
  latest().send("base", "1-a", []);
  latest().send("delta", "2-a", rows.map(ins));
  assert.deepEqual(sorted(other.view.rows()), sorted(rows));
  latest().send("delta", "3-a", rows.map(del));
  assert.equal(other.view.size, 0);
});

test("unknown_events_are_ignored", () => {
  const { view, log } = start();
  latest().send("base", "1-a", []);
  const before = log.length;
  latest().send("message", "2-a", "hello");
  latest().send("consistent", "2-a", "{]");
  latest().send("upstream", "1-a", '"confused"');
  assert.equal(log.length, before);
  assert.equal(view.position, "1-a");
});

test("heartbeat_moves_position_and_freshness", () => {
  const { view, of } = start({ staleAfterMs: 1000 });
  latest().send("base", "1-a", [{ n: 1 }]);
  mock.timers.tick(900);
  latest().send("delta", "2-a", []);
  mock.timers.tick(900);
  assert.equal(view.status, "live");
  assert.equal(view.position, "2-a");
  assert.deepEqual(of("heartbeat"), [{ position: "2-a" }]);
  assert.deepEqual(of("change"), []);
});

test("silence_is_stale_and_asks_again_from_the_position", () => {
  const { view, of } = start({ staleAfterMs: 1000 });
  latest().send("base", "1-a b", [{ n: 1 }]);
  mock.timers.tick(1000);
  assert.deepEqual(of("status").at(-1), { status: "stale", reason: "nothing heard", error: null });
  assert.equal(FakeEventSource.opened.length, 2);
  assert.equal(latest().url, "http://gateway/v/stream?last-event-id=1-a%20b");
  latest().open();
  latest().send("delta", "2-a b", [ins({ n: 2 })]);
  assert.equal(view.status, "live");
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 2 }]);
});

test("upstream_lost_is_stale_until_live_or_a_later_position", () => {
  for (const [lost, live] of [["lost", "live"], ['"lost"', '"live"']]) {
    const { view, of } = start();
    latest().send("base", "1-a", [{ n: 1 }]);
    latest().send("upstream", "1-a", lost);
    assert.deepEqual(of("status").at(-1), { status: "stale", reason: "upstream lost", error: null });
    latest().send("delta", "1-a", []);
    assert.equal(view.status, "stale", "a heartbeat that stands still is no news from upstream");
    latest().send("upstream", "1-a", live);
    assert.equal(view.status, "live");
    latest().send("upstream", "1-a", lost);
    latest().send("delta", "2-a", []);
    assert.equal(view.status, "live");
  }
  const { view } = start();
  latest().send("upstream", "", "lost");
  latest().send("base", "1-a", []);
  assert.equal(view.status, "stale", "a base of a gateway without upstream is old");
});

/** Ten thousand rows that come at odd times and go at even ones, from time 1 on. */
function flicker(times) {
  const rows = Array.from({ length: 10_000 }, (_, n) => ({ n }));
  for (let time = 1; time <= times; time += 1) {
    latest().send("delta", `${time}-a`, [...rows.map(time % 2 === 1 ? ins : del), ins({ time })]);
  }
}

test("deltas_before_a_base_are_added_up_so_that_what_waits_is_bounded", () => {
  // 500,000 changes, of which 50 rows stay: more than are kept.
  for (const [base, size] of [[0, 50], [50, 0]]) {
    const { view, of } = start();
    flicker(50);
    latest().send("base", `${base}-a`, []);
    assert.deepEqual([view.size, view.position, of("error").length], [size, "50-a", 0], `base at ${base}`);
    view.close();
  }
});

test("base_within_deltas_that_were_added_up_is_asked_for_anew", () => {
  const { view, of } = start();
  flicker(50);
  const first = latest();
  latest().send("base", "2-a", [{ time: 1 }, { time: 2 }]);
  assert.deepEqual([view.size, of("error").length, view.status], [0, 1, "stale"]);
  mock.timers.tick(1_100);
  assert.notEqual(latest(), first);
  latest().open();
  latest().send("base", "51-a", [{ n: 7 }]);
  assert.deepEqual([view.rows(), view.status], [[{ n: 7 }], "live"]);
});

test("gone_keeps_the_rows_until_a_new_base", () => {
  const { view, of } = start({ staleAfterMs: 1000 });
  latest().send("base", "5-a", [{ n: 1 }]);
  latest().send("gone", "5-a", { reason: "view was dropped" });
  assert.deepEqual(of("status").at(-1), { status: "gone", reason: "view was dropped", error: null });
  latest().fail();
  latest().open();
  mock.timers.tick(1000);
  assert.equal(view.status, "gone");
  assert.deepEqual(view.rows(), [{ n: 1 }]);
  latest().open();
  latest().send("base", "2-b", [{ m: 1 }]);
  assert.equal(view.status, "live");
  assert.deepEqual(view.rows(), [{ m: 1 }]);
  assert.equal(view.position, "2-b");
});

test("resumed_connection_goes_on_without_a_base", () => {
  const { view, of } = start();
  latest().send("base", "1-a", [{ n: 1 }]);
  latest().fail();
  assert.equal(view.status, "connecting");
  assert.deepEqual(view.rows(), [{ n: 1 }]);
  latest().open();
  assert.equal(view.status, "connecting", "an open connection alone says nothing about the data");
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  assert.equal(view.status, "live");
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 2 }]);
  assert.equal(of("base").length, 1);
  assert.equal(FakeEventSource.opened.length, 1, "EventSource reconnects by itself");
});

test("connection_refused_for_good_is_made_anew_with_back_off", () => {
  const { view } = start();
  latest().send("base", "1-a", [{ n: 1 }]);
  latest().fail(true);
  mock.timers.tick(1000);
  assert.equal(FakeEventSource.opened.length, 2);
  assert.match(latest().url, /last-event-id=1-a$/);
  latest().fail(true);
  mock.timers.tick(999);
  assert.equal(FakeEventSource.opened.length, 2, "the second time takes longer");
  mock.timers.tick(1001);
  assert.equal(FakeEventSource.opened.length, 3);
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  assert.deepEqual(view.rows(), [{ n: 1 }, { n: 2 }]);
});

test("connection_cut_between_early_delta_and_base_does_not_resume", () => {
  // EventSource would send the delta's id and the base would never come.
  const { view } = start();
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  const first = latest();
  first.fail();
  assert.equal(first.readyState, 2);
  mock.timers.tick(1000);
  assert.equal(latest().url, "http://gateway/v/stream");
  latest().send("base", "3-a", [{ n: 2 }]);
  assert.deepEqual(view.rows(), [{ n: 2 }]);
});

test("delta_to_another_view_of_the_name_is_applied_like_any_other", () => {
  const { view } = start();
  latest().send("base", "5-a", [{ n: 1 }]);
  latest().send("delta", "7-b", [del({ n: 1 }), ins({ n: 2 })]);
  latest().send("delta", "7-b", [ins({ n: 9 })]);
  assert.deepEqual(view.rows(), [{ n: 2 }]);
  assert.equal(view.position, "7-b");
  assert.equal(view.status, "live");
});

test("deltas_before_a_base_are_applied_across_a_change_of_view", () => {
  const { view } = start();
  latest().send("delta", "5-a", [ins({ n: 2 })]);
  latest().send("delta", "7-b", [del({ n: 1 })]);
  latest().send("base", "4-a", [{ n: 1 }]);
  assert.deepEqual(view.rows(), [{ n: 2 }]);
  assert.equal(view.position, "7-b");
});

test("contract_broken_asks_for_a_base_and_applies_nothing", () => {
  const cases = [
    ["delta", "2-a", [ins({ n: 9 }), del({ n: 7 })], /not there/],
    ["delta", "2-a", [del({ n: 1 }), del({ n: 1 })], /not there/],
    ["delta", "2-a", '[{"insert":{"n":9}', /JSON/],
    ["delta", "2-a", '{"insert":{"n":9}}', /array/],
    ["delta", "2-a", [{ upsert: { n: 9 } }], /neither/],
    ["delta", "2-a", [{ insert: 7 }], /array/],
    ["delta", "", [ins({ n: 9 })], /position/],
    ["delta", "two-a", [ins({ n: 9 })], /position/],
    ["base", "2-a", "[{},7]", /array/],
    ["base", "2-a", "null", /array/],
  ];
  for (const [type, id, data, message] of cases) {
    const { view, of } = start();
    latest().send("base", "1-a", [{ n: 1 }]);
    const broken = latest();
    broken.send(type, id, data);
    assert.match(of("error")[0].message, message);
    assert.equal(view.status, "stale");
    assert.deepEqual(view.rows(), [{ n: 1 }]);
    assert.equal(view.position, "1-a");
    broken.send("delta", "3-a", [ins({ n: 3 })]);
    assert.equal(view.size, 1, "the broken connection is not listened to any more");
    mock.timers.tick(1000);
    assert.notEqual(latest(), broken);
    assert.equal(latest().url, "http://gateway/v/stream", "no position: a base, not a resume");
    latest().send("base", "4-a", [{ n: 4 }]);
    assert.deepEqual(view.rows(), [{ n: 4 }]);
    assert.equal(view.status, "live");
    view.close();
  }
});

test("key_pairs_deletes_with_inserts", () => {
  const { view, of } = start({ key: ["user"] });
  latest().send("base", "1-a", [{ user: "x", n: 1 }, { user: "y", n: 1 }]);
  latest().send("delta", "2-a", [del({ user: "x", n: 1 }), del({ user: "y", n: 1 }), ins({ user: "x", n: 2 }), ins({ user: "z", n: 1 })]);
  assert.deepEqual(of("change")[0], {
    inserted: [{ user: "z", n: 1 }],
    deleted: [{ user: "y", n: 1 }],
    updated: [{ before: { user: "x", n: 1 }, after: { user: "x", n: 2 } }],
    position: "2-a",
  });
  assert.equal(view.size, 2);
});

test("sort_and_limit_shape_rows", () => {
  const { view } = start({ sort: (a, b) => b.n - a.n, limit: 2 });
  latest().send("base", "1-a", [{ n: 1 }, { n: 3 }, { n: 2 }]);
  assert.deepEqual(view.rows(), [{ n: 3 }, { n: 2 }]);
  assert.equal(view.size, 3);
});

test("iteration_gives_one_change_for_all_that_was_missed", async () => {
  const { view } = start();
  latest().send("base", "1-a", [{ n: 1 }]);
  const loop = view[Symbol.asyncIterator]();
  assert.deepEqual((await loop.next()).value, { inserted: [{ n: 1 }], deleted: [], position: "1-a" });
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  latest().send("delta", "3-a", [del({ n: 2 }), ins({ n: 3 })]);
  latest().send("base", "1-b", [{ n: 3 }, { n: 3 }]);
  assert.deepEqual((await loop.next()).value, { inserted: [{ n: 3 }, { n: 3 }], deleted: [{ n: 1 }], position: "1-b" });
  const waiting = loop.next();
  latest().send("delta", "2-b", [ins({ n: 4 })]);
  assert.deepEqual((await waiting).value.inserted, [{ n: 4 }]);
  const last = loop.next();
  view.close();
  assert.equal((await last).done, true);
});

test("heartbeat_without_an_id_on_a_resumed_connection_is_where_the_rows_stand", () => {
  const { view, of } = start();
  latest().send("base", "10-a", [{ n: 1 }]);
  view.pause();
  view.resume();
  latest().open();
  latest().send("delta", "", []); // nothing moved, and this EventSource has had no id
  assert.deepEqual([view.status, view.position, of("error")], ["live", "10-a", []]);
});

test("pause_keeps_rows_and_resume_goes_on", () => {
  const { view } = start();
  latest().send("base", "1-a", [{ n: 1 }]);
  view.pause();
  assert.equal(latest().readyState, 2);
  assert.equal(view.reason, "paused");
  view.resume();
  assert.equal(view.status, "connecting");
  assert.match(latest().url, /last-event-id=1-a/);
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  assert.equal(view.size, 2);
});

test("closed_is_final", () => {
  const { view, of } = start({ staleAfterMs: 1000 });
  latest().send("base", "1-a", [{ n: 1 }]);
  view.addEventListener("change", () => view.close());
  latest().send("delta", "2-a", [ins({ n: 2 })]);
  latest().send("delta", "3-a", [ins({ n: 3 })]);
  latest().fail(true);
  mock.timers.tick(100_000);
  view.resume();
  assert.equal(FakeEventSource.opened.length, 1);
  assert.equal(view.size, 2);
  assert.deepEqual(of("status").at(-1), { status: "closed", reason: "", error: null });
});

test("event_source_that_is_no_class_is_refused", () => {
  assert.throws(() => new ViewStream("http://gateway/v/stream", { EventSource: 7 }), TypeError);
});

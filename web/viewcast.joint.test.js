// node --test web/viewcast.joint.test.js
// Several views on one stream: a model of what the gateway sends (docs/PROTOCOL.md, M1-M6),
// cut and resumed anywhere, and hostile words in between.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { FakeEventSource, latest, sorted } from "../tests/browser/fake-eventsource.mjs";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

const URL_AB = "http://gateway/stream?view=b&view=a";
const at = (time, a = "aa", b = "bb") => `${time}-${a}.${time}-${b}`;

function open(url = URL_AB, options = {}) {
  const stream = new ViewStream(url, { EventSource: FakeEventSource, ...options });
  const seen = [];
  stream.addEventListener("consistent", ({ detail }) => seen.push(detail));
  latest().open();
  return { stream, seen, a: stream.view("a"), b: stream.view("b") };
}

function stand(time, id = at(time)) {
  latest().send("consistent", id, { position: time });
}

/** Both views with a row each at time 1. */
function joined(options) {
  const all = open(URL_AB, options);
  latest().send("b.base", "", [{ n: 1 }]);
  latest().send("a.base", "", [{ n: 1 }, { n: 1 }]);
  stand(1);
  return all;
}

test("views_change_together_and_only_when_they_are_consistent", () => {
  const { stream, seen, a, b } = joined();
  assert.equal(stream.status, "live");
  assert.deepEqual([a.size, b.size, a.position, b.position], [2, 1, "1-aa", "1-bb"]);
  assert.deepEqual(seen, [{ position: at(1) }]);
  assert.equal(JSON.stringify(seen[0]), `{"position":"${at(1)}"}`);
  latest().send("a.delta", at(1), [{ insert: { n: 2 } }]);
  latest().send("a.delta", at(1), [{ delete: { n: 2 } }, { insert: { n: 3 } }]);
  latest().send("b.delta", at(1), [{ delete: { n: 1 } }]);
  assert.deepEqual([a.size, b.size], [2, 1], "held back");
  const sizes = [];
  stream.addEventListener("consistent", () => sizes.push([a.size, b.size]), { once: true });
  stand(3);
  assert.deepEqual(sizes, [[3, 0]]);
  assert.deepEqual(sorted(a.rows()), ['{"n":1}', '{"n":1}', '{"n":3}']);
  assert.deepEqual([stream.position, stream.timestamp], [at(3), 3n]);
  assert.equal(stream.view("c"), undefined);
  assert.deepEqual(stream.rows(), []);
});

test("several_views_are_ready_and_reach_a_position_together", async () => {
  const { stream, a, b } = open();
  const reached = [];
  for (const [name, promise] of Object.entries({ stream: stream.ready, a: a.ready, b: b.ready, later: stream.until(at(3)) })) promise.then(() => reached.push(name));
  latest().send("a.base", "", []);
  latest().send("b.base", "", []);
  await null;
  assert.deepEqual(reached, [], "held back");
  stand(1);
  await Promise.all([stream.ready, a.ready, b.ready]);
  assert.deepEqual(reached.sort(), ["a", "b", "stream"]);
  stand(4);
  assert.equal(await stream.until(3n), stream);
  assert.ok(reached.includes("later"));
});

test("what_came_after_the_last_id_is_dropped_when_the_connection_breaks", () => {
  const { a, b, seen } = joined();
  latest().send("a.delta", at(1), [{ insert: { n: 2 } }]);
  latest().fail();
  assert.deepEqual([a.status, b.status], ["connecting", "connecting"]);
  latest().open();
  latest().send("a.delta", at(1), [{ insert: { n: 2 } }]);
  stand(2);
  assert.equal(a.rows().filter(({ n }) => n === 2).length, 1);
  assert.deepEqual([a.status, b.status, seen.length], ["live", "live", 2]);
});

test("base_with_deltas_behind_it_is_one_base", () => {
  const { stream, a } = open();
  const bases = [];
  a.addEventListener("base", () => bases.push(a.rows()));
  latest().send("a.base", "", [{ n: 1 }, { n: 1 }]);
  latest().send("b.base", "", []);
  latest().send("a.delta", "", [{ delete: { n: 1 } }, { insert: { n: 2 } }]);
  stand(5);
  assert.deepEqual(bases.map(sorted), [['{"n":1}', '{"n":2}']]);
  assert.equal(stream.status, "live");
});

test("position_beyond_what_a_number_holds_is_text", () => {
  const { stream } = open();
  latest().send("a.base", "", []);
  latest().send("b.base", "", []);
  latest().send("consistent", at("18446744073709551615"), '{"position":"18446744073709551615"}');
  assert.equal(stream.timestamp, 18446744073709551615n);
});

test("gone_view_keeps_its_rows_while_the_others_go_on_and_comes_back", () => {
  const { stream, a, b } = joined();
  latest().send("a.gone", at(1), { reason: "dropped" });
  assert.deepEqual([a.status, a.reason, a.size], ["gone", "dropped", 2]);
  latest().send("b.delta", at(1), [{ insert: { n: 7 } }]);
  stand(2, "-.2-bb");
  assert.deepEqual([a.status, b.status, b.size, stream.status], ["gone", "live", 2, "live"]);
  latest().send("a.base", "-.2-bb", [{ m: 1 }]);
  stand(3, at(3, "a2"));
  assert.deepEqual([a.status, a.size, a.position], ["live", 1, "3-a2"]);
});

test("lost_upstream_of_one_makes_all_stale_until_all_are_back", () => {
  const { stream, a, b } = joined();
  latest().send("b.upstream", at(1), '"lost"');
  stand(1);
  assert.deepEqual([stream.status, a.status, b.status, b.reason], ["stale", "stale", "stale", "upstream lost"]);
  latest().send("b.upstream", at(1), '"live"');
  assert.deepEqual([stream.status, a.status, b.status], ["live", "live", "live"]);
});

test("delta_that_cannot_be_has_all_views_asked_for_anew", () => {
  const { a, b } = joined();
  const errors = [];
  a.addEventListener("error", ({ detail }) => errors.push(detail.message));
  latest().send("a.delta", at(1), [{ delete: { n: 9 } }]);
  latest().send("b.delta", at(1), [{ insert: { n: 9 } }]);
  stand(2);
  assert.equal(errors.length, 1);
  const broken = latest();
  mock.timers.tick(1_100); // the view asks again, and so
  mock.timers.tick(1_100); // does the stream
  assert.notEqual(latest(), broken);
  assert.equal(latest().url, URL_AB, "from the beginning");
  latest().open();
  latest().send("a.base", "", [{ n: 4 }]);
  latest().send("b.base", "", [{ n: 5 }]);
  stand(3);
  assert.deepEqual([a.rows(), b.rows(), a.status], [[{ n: 4 }], [{ n: 5 }], "live"]);
});

test("consistent_that_is_no_json_asks_anew", () => {
  const { stream } = joined();
  latest().send("consistent", at(2), "nonsense");
  assert.equal(stream.status, "stale");
  const broken = latest();
  mock.timers.tick(1_100);
  assert.notEqual(latest(), broken);
  assert.equal(latest().url, URL_AB, "from the beginning");
});

test("pause_resume_and_close_hold_for_all_views", () => {
  const { stream, a, b } = joined();
  stream.pause();
  assert.deepEqual([latest().readyState, a.status, b.status], [2, "stale", "stale"]);
  stream.resume();
  assert.match(latest().url, /&last-event-id=1-aa\.1-bb$/);
  latest().open();
  stand(1, ""); // a new EventSource knows no id before it has had one
  assert.deepEqual([a.status, b.status], ["live", "live"]);
  stream.close();
  assert.deepEqual([a.status, b.status, stream.status], ["closed", "closed", "closed"]);
});

test("view_that_was_paused_is_told_what_it_missed", async () => {
  const { a, b } = joined();
  const connections = FakeEventSource.opened.length;
  const changes = [];
  a.addEventListener("change", ({ detail }) => changes.push(detail));
  a.pause();
  latest().send("a.delta", at(1), [{ insert: { n: 2 } }]);
  latest().send("b.delta", at(1), [{ insert: { n: 2 } }]);
  stand(2);
  latest().send("a.delta", at(2), [{ delete: { n: 2 } }, { insert: { n: 3 } }]);
  stand(3);
  assert.deepEqual([a.size, a.status, a.position, b.size, b.status], [2, "stale", "1-aa", 2, "live"]);
  a.resume();
  await null;
  assert.deepEqual([a.status, a.position], ["live", "3-aa"]);
  assert.deepEqual(sorted(a.rows()), ['{"n":1}', '{"n":1}', '{"n":3}']);
  assert.equal(changes.length, 1, "one change, the net one");
  latest().send("a.delta", at(3), [{ delete: { n: 3 } }]);
  stand(4);
  assert.deepEqual([a.size, a.status], [2, "live"]);
  assert.equal(FakeEventSource.opened.length, connections, "nothing was asked for anew");
});

test("view_that_was_paused_while_nothing_changed_is_live_at_once", async () => {
  const { a } = joined();
  a.pause();
  a.resume();
  await null;
  assert.deepEqual([a.status, a.size, a.position], ["live", 2, "1-aa"]);
});

test("view_that_was_paused_hears_of_its_base_its_loss_and_its_end", async () => {
  const { stream, a } = joined();
  a.pause();
  // The connection breaks, and the view begins anew.
  latest().fail();
  latest().open();
  latest().send("a.base", "", [{ n: 7 }]);
  latest().send("a.delta", "", [{ insert: { n: 8 } }]);
  stand(5);
  latest().send("b.upstream", at(5), '"lost"');
  a.resume();
  await null;
  assert.deepEqual([sorted(a.rows()), a.status, a.reason], [['{"n":7}', '{"n":8}'], "stale", "upstream lost"]);
  a.pause();
  latest().send("a.delta", at(5), [{ insert: { n: 9 } }]);
  latest().send("a.gone", at(5), { reason: "dropped" });
  a.resume();
  await null;
  assert.deepEqual([a.status, a.reason, a.size], ["gone", "dropped", 2]);
  stream.close();
});

test("view_that_was_paused_for_too_long_asks_for_a_base", () => {
  const { a } = joined();
  a.pause();
  const text = "x".repeat(9_000_000);
  for (const time of [2, 3, 4]) {
    latest().send("a.delta", at(1), [{ insert: { text } }]);
    stand(time);
  }
  const before = latest();
  a.resume();
  mock.timers.tick(1_100);
  assert.notEqual(latest(), before);
  assert.equal(latest().url, URL_AB, "from the beginning");
});

test("view_that_was_closed_keeps_nothing_and_stays_closed", () => {
  const { a, b } = joined();
  a.close();
  latest().send("a.delta", at(1), [{ insert: { n: 2 } }]);
  latest().send("b.delta", at(1), [{ insert: { n: 2 } }]);
  stand(2);
  assert.deepEqual([a.status, a.size, b.size], ["closed", 2, 2]);
});

test("names_and_options_of_each_view", () => {
  const stream = new ViewStream("http://gateway/live/stream?view=a.b&view=%C3%A9%25+(x)#part", {
    EventSource: FakeEventSource,
    views: { "a.b": { key: "n", limit: 1 } },
  });
  latest().open();
  const changes = [];
  stream.view("a.b").addEventListener("change", ({ detail }) => changes.push(detail.updated));
  latest().send("a.b.base", "", [{ n: 1, m: 1 }, { n: 2, m: 1 }]);
  latest().send("%C3%A9%25%20%28x%29.base", "", [{ n: 1 }]);
  // In the order of the encoded names: "%" stands before "a".
  latest().send("consistent", "1-ee.1-aa", { position: 1 });
  assert.deepEqual([stream.view("a.b").position, stream.view("é% (x)").position], ["1-aa", "1-ee"]);
  latest().send("a.b.delta", "", [{ delete: { n: 1, m: 1 } }, { insert: { n: 1, m: 2 } }]);
  latest().send("consistent", "2-ee.2-aa", { position: 2 });
  assert.equal(changes[0].length, 1);
  assert.equal(stream.view("a.b").rows().length, 1);
});

/** A generator with a seed. */
function random(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

test("oracle_random_streams_of_several_views_are_right_at_every_common_time", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const pick = random(seed);
    // A transfer between the views at each time: the sum is always the same.
    const history = [{ a: [1, 2, 3, 4], b: [5, 6, 7, 8] }];
    for (let time = 1; time < 40; time += 1) {
      const { a, b } = structuredClone(history.at(-1));
      const [from, to] = pick(2) === 0 ? [a, b] : [b, a];
      if (from.length > 0) to.push(...from.splice(pick(from.length), 1));
      history.push({ a, b });
    }
    const { stream, seen, a, b } = open();
    const compare = () => {
      const { timestamp } = stream;
      const expected = history[Number(timestamp)];
      for (const [view, rows] of [[a, expected.a], [b, expected.b]]) {
        assert.deepEqual(sorted(view.rows()), sorted(rows.map((n) => ({ n }))), `seed ${seed} at ${timestamp}`);
      }
    };
    stream.addEventListener("consistent", compare);
    const delta = (name, from, to) => [
      ...history[from][name].filter((n) => !history[to][name].includes(n)).map((n) => ({ delete: { n } })),
      ...history[to][name].filter((n) => !history[from][name].includes(n)).map((n) => ({ insert: { n } })),
    ];
    let known = null; // the time that the client will come back with
    let sent = { a: null, b: null };
    for (let turn = 0; turn < 60; turn += 1) {
      const to = Math.min(history.length - 1, (known ?? 0) + pick(4));
      for (const name of pick(2) === 0 ? ["a", "b"] : ["b", "a"]) {
        let from = sent[name];
        if (from === null) {
          from = known === null ? pick(to + 1) : known + pick(to - known + 1);
          latest().send(`${name}.base`, "", history[from][name].map((n) => ({ n })));
        }
        while (from < to) {
          const next = Math.min(to, from + 1 + pick(3));
          latest().send(`${name}.delta`, "", delta(name, from, next));
          from = next;
        }
        sent[name] = to;
        // It may break anywhere; each view then goes on, or has a base.
        if (pick(12) === 0) break;
      }
      const isBroken = sent.a !== to || sent.b !== to || pick(8) === 0;
      if (!isBroken) {
        stand(to);
        known = to;
      } else {
        const again = () => (known === null || pick(4) === 0 ? null : known);
        sent = { a: again(), b: again() };
        latest().fail();
        latest().open();
      }
    }
    assert.ok(seen.length > 5, `seed ${seed}: ${seen.length}`);
    stream.close();
  }
});

// node --test web/viewcast.snapshot.test.js
// What is shown of the rows: the same objects for as long as nothing changes, in an order that is kept up to date.
// How long a read takes: node web/viewcast.bench.mjs.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { FakeEventSource, latest, start } from "../tests/browser/fake-eventsource.mjs";

beforeEach(() => {
  FakeEventSource.opened = [];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

const ins = (row) => ({ insert: row });
const del = (row) => ({ delete: row });
const base = (time, rows) => latest().send("base", `${time}-a`, rows);
const delta = (time, changes) => latest().send("delta", `${time}-a`, changes);

test("snapshot_is_the_same_object_until_something_changes", () => {
  const { view, of } = start({ key: "id" });
  const seen = [view.snapshot()];
  const isNew = () => {
    const next = view.snapshot();
    assert.equal(next, view.snapshot());
    const isOther = !seen.includes(next);
    seen.push(next);
    return isOther;
  };
  assert.deepEqual(seen[0], { rows: [], status: "connecting", reason: "", error: null, position: null });
  base(1, [{ id: 1, n: 1 }, { id: 2, n: 1 }]);
  assert.ok(isNew());
  assert.deepEqual(view.snapshot(), { rows: [{ id: 1, n: 1 }, { id: 2, n: 1 }], status: "live", reason: "", error: null, position: "1-a" });
  delta(1, []);
  assert.ok(!isNew(), "a heartbeat that moves nothing");
  const { rows } = view.snapshot();
  delta(2, []);
  assert.ok(isNew(), "the position moved");
  assert.equal(view.snapshot().rows, rows, "the rows did not");
  delta(3, [del({ id: 1, n: 1 }), ins({ id: 1, n: 2 })]);
  assert.ok(isNew());
  assert.notEqual(view.snapshot().rows, rows);
  assert.equal(view.snapshot().rows.find(({ id }) => id === 2), rows[1], "a row that stands is the object it was");
  assert.equal(of("change")[0].updated[0].before, rows[0], "and so is one that goes");
  assert.notEqual(view.rows(), view.rows(), "an array of one's own");
  latest().fail();
  assert.ok(isNew());
  view.close();
});

test("rows_beyond_the_limit_change_nothing_that_is_shown", () => {
  const { view } = start({ sort: (a, b) => b.n - a.n, limit: 2 });
  base(1, [{ n: 5 }, { n: 9 }, { n: 1 }]);
  const { rows } = view.snapshot();
  assert.deepEqual(rows, [{ n: 9 }, { n: 5 }]);
  delta(2, [del({ n: 1 }), ins({ n: 2 })]);
  assert.equal(view.snapshot().rows, rows);
  delta(3, [ins({ n: 7 })]);
  assert.deepEqual(view.snapshot().rows, [{ n: 9 }, { n: 7 }]);
  delta(4, [ins({ n: 9 })]);
  assert.deepEqual(view.snapshot().rows, [{ n: 9 }, { n: 9 }], "copies count");
  delta(5, [ins({ n: 9 })]);
  assert.deepEqual(view.snapshot().rows, [{ n: 9 }, { n: 9 }], "up to the limit");
  view.close();
});

test("rows_are_found_by_their_key", () => {
  const { view } = start({ key: "id" });
  assert.deepEqual([view.get(1), view.has(1), [...view.keys()]], [undefined, false, []]);
  base(1, [{ id: 1, n: 1 }, { id: "1", n: 2 }, { id: null, n: 3 }]);
  assert.deepEqual([view.get(1), view.get("1"), view.get(null), view.get(2)], [{ id: 1, n: 1 }, { id: "1", n: 2 }, { id: null, n: 3 }, undefined]);
  delta(2, [del({ id: 1, n: 1 }), del({ id: "1", n: 2 }), ins({ id: 1, n: 9 }), ins({ id: 4, n: 4 })]);
  assert.deepEqual([view.get(1).n, view.has("1"), view.has(4)], [9, false, true]);
  assert.deepEqual([...view.keys()].sort(), [1, 4, null]);
  assert.equal(view.get(1), view.rows().find(({ id }) => id === 1), "the object that the rows have");
  view.close();
  const pairs = start({ key: ["a", "b"] }).view;
  base(1, [{ a: 1, b: 2, n: 1 }, { a: 1, b: 3, n: 2 }]);
  assert.deepEqual([pairs.get([1, 3]).n, pairs.has([1, 4]), [...pairs.keys()]], [2, false, [[1, 2], [1, 3]]]);
  pairs.close();
  const none = start().view;
  assert.throws(() => none.get(1), { name: "TypeError", message: "option key is not set" });
  none.close();
});

test("key_that_several_rows_have_gives_one_of_those_that_are_there", () => {
  const { view } = start({ key: "id" });
  base(1, [{ id: 1, n: 1 }, { id: 1, n: 1 }, { id: 1, n: 2 }]);
  assert.ok(view.has(1));
  delta(2, [del({ id: 1, n: 2 }), del({ id: 1, n: 1 })]);
  assert.deepEqual(view.get(1), { id: 1, n: 1 });
  delta(3, [del({ id: 1, n: 1 })]);
  assert.deepEqual([view.has(1), [...view.keys()]], [false, []]);
  view.close();
});

test("second_base_is_told_as_what_it_changes_and_keeps_the_rows_that_are_equal", () => {
  const { view, of } = start({ key: "id", sort: (a, b) => a.id - b.id });
  base(1, [{ id: 1, n: 1 }, { id: 2, n: 1 }, { id: 3, n: 1 }]);
  const before = view.rows();
  const { rows } = view.snapshot();
  assert.equal(view.get(2), before[1]);
  base(5, [{ id: 4, n: 1 }, { id: 2, n: 2 }, { id: 1, n: 1 }]);
  const after = view.rows();
  assert.deepEqual(after, [{ id: 1, n: 1 }, { id: 2, n: 2 }, { id: 4, n: 1 }]);
  assert.equal(after[0], before[0]);
  assert.deepEqual(of("base").at(-1), {
    size: 3,
    inserted: [{ id: 4, n: 1 }],
    deleted: [{ id: 3, n: 1 }],
    updated: [{ before: { id: 2, n: 1 }, after: { id: 2, n: 2 } }],
    position: "5-a",
  });
  assert.equal(of("base").at(-1).deleted[0], before[2], "what goes is told as the object that it was");
  assert.deepEqual([view.get(2), view.has(3), view.has(4)], [{ id: 2, n: 2 }, false, true]);
  assert.notEqual(view.snapshot().rows, rows);
  // The same again: nothing of it is new.
  const same = view.snapshot().rows;
  base(6, [{ id: 2, n: 2 }, { id: 1, n: 1 }, { id: 4, n: 1 }]);
  assert.equal(view.snapshot().rows, same);
  view.close();
});

test("order_is_kept_as_sorting_all_rows_would_have_it", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    let state = seed;
    const pick = (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    // Few values: many rows are equal to the order, and stand as they came.
    const sort = (a, b) => a.n - b.n;
    const limit = [undefined, 0, 1, 5, 1000][seed % 5];
    const { view } = start({ key: "id", sort, limit });
    const held = new Map();
    let [time, id] = [1, 0];
    const make = (n = pick(5)) => ({ id: (id += 1), n });
    base(time, Array.from({ length: pick(50) }, () => { const row = make(); held.set(row.id, row); return row; }));
    for (let step = 0; step < 80; step += 1) {
      const changes = [];
      // At times so many that all are ordered anew.
      for (let count = pick(20) === 0 ? 600 : pick(8); count > 0; count -= 1) {
        const known = [...held.values()];
        if (pick(2) === 0 && known.length > 0) {
          const row = known[pick(known.length)];
          if (!changes.some(({ insert }) => insert === row)) {
            held.delete(row.id);
            changes.unshift(del(row));
          }
        } else {
          const row = make();
          held.set(row.id, row);
          changes.push(ins(row));
        }
      }
      if (pick(12) === 0) base((time += 1), [...held.values()]);
      else delta((time += 1), changes);
      if (pick(3) === 0) continue;
      const want = [...view.entries()].map(([row]) => row).sort(sort).slice(0, limit ?? Infinity);
      assert.deepEqual(view.rows(), want, `seed ${seed}, step ${step}`);
      assert.equal(view.size, held.size, `seed ${seed}`);
      for (const [key, row] of held) assert.deepEqual(view.get(key), row);
      assert.equal([...view.keys()].length, held.size);
    }
    view.close();
  }
});

test("order_that_contradicts_itself_loses_no_row", () => {
  let calls = 0;
  const { view } = start({ sort: () => ((calls += 1) % 3) - 1 });
  base(1, Array.from({ length: 50 }, (_, n) => ({ n })));
  for (let time = 2; time < 50; time += 1) {
    view.rows();
    delta(time, [del({ n: time - 2 }), ins({ n: 100 + time })]);
    assert.equal(view.rows().length, 50);
  }
  assert.deepEqual(view.rows().map(({ n }) => n).sort((a, b) => a - b), [...view.entries()].map(([{ n }]) => n).sort((a, b) => a - b));
  view.close();
});

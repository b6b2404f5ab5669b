// node --test web/rows.test.js
// The rows behind a table against a plain list that is sorted and filtered anew each time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rows, toCsv, changesOf } from "./rows.js";

const COLUMNS = [{ name: "id", type: "bigint" }, { name: "name", type: "text" }, { name: "score", type: "numeric" }];

/** mulberry32: a seeded generator, so that a failure can be run again. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const shown = (rows) => Array.from({ length: rows.length }, (_, at) => rows.at(at));
const texts = (rows) => shown(rows).map(({ row, count }) => `${count} ${JSON.stringify(row)}`);

test("oracle_changes_leave_the_rows_sorted_and_filtered", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const next = random(seed);
    const pick = (below) => Math.floor(next() * below);
    const row = () => ({ id: pick(20), name: ["Ada", "bob", "Zoë", null][pick(4)], score: [1, 2.5, "12345678901234567890", "NaN", null][pick(5)] });
    const rows = new Rows(COLUMNS);
    let held = Array.from({ length: pick(30) }, row);
    rows.reset(held.map((each) => [each, 1]));
    let needle = "";
    for (let step = 0; step < 40; step += 1) {
      const what = pick(6);
      if (what === 0) rows.sortBy(COLUMNS[pick(3)].name);
      else if (what === 1) rows.filterBy((needle = ["", "a", "ad", "1", "b"][pick(5)]));
      else {
        const deleted = held.filter(() => pick(4) === 0);
        held = held.filter((each) => !deleted.includes(each));
        const inserted = Array.from({ length: pick(5) }, row);
        held.push(...inserted);
        // As they come over the wire: equal, not the same.
        rows.apply({ inserted, deleted: deleted.map((each) => ({ ...each })) }, step + 1);
      }
      const again = new Rows(COLUMNS);
      again.reset(held.map((each) => [each, 1]));
      // The same order asked of fresh rows, which sort them all.
      const { name, sign } = rows.sort;
      for (let n = 0; again.sort.name !== name || again.sort.sign !== sign; n += 1) {
        assert.ok(n < 3);
        again.sortBy(name);
      }
      again.filterBy(needle);
      assert.deepEqual(texts(rows), texts(again), `seed ${seed}, step ${step}`);
      const matching = held.filter((each) => Object.values(each).some((value) => String(value ?? "").toLowerCase().includes(needle)));
      assert.equal(shown(rows).reduce((sum, { count }) => sum + count, 0), matching.length, `seed ${seed}, step ${step}`);
      assert.equal(rows.copies, held.length);
    }
  }
});

test("order_is_that_of_the_type", () => {
  const rows = new Rows(COLUMNS);
  const values = [["id", [9, 10, 100]], ["name", ["a", "B", "c"]], ["score", [-1, 2.5, "12345678901234567890", "Infinity", "NaN"]]];
  for (const [name, list] of values) {
    rows.reset([null, ...list].toReversed().map((value) => [{ [name]: value }, 1]));
    while (rows.sort.name !== name || rows.sort.sign !== 1) rows.sortBy(name);
    assert.deepEqual(shown(rows).map(({ row }) => row[name]), [...list, null], `${name}: NULL is last`);
    rows.sortBy(name);
    assert.deepEqual(shown(rows).map(({ row }) => row[name]), [...list.toReversed(), null], `${name} the other way round: NULL is still last`);
  }
});

test("copies_are_counted_and_marked", () => {
  const rows = new Rows([{ name: "n", type: "integer" }]);
  rows.reset([[{ n: 1 }, 2], [{ n: 2 }, 1]]);
  rows.apply({ inserted: [{ n: 1 }], deleted: [{ n: 2 }] }, 7);
  assert.deepEqual(texts(rows), ['3 {"n":1}']);
  assert.equal(rows.at(0).changedAt, 7);
  assert.equal(rows.copies, 3);
  assert.equal(rows.distinct, 1);
});

test("csv_is_exact_and_quoted_where_it_must_be", () => {
  const columns = [{ name: "a,b", type: "text" }, { name: "n", type: "bigint" }, { name: "j", type: "jsonb" }];
  const rows = new Rows(columns);
  rows.reset([
    [{ "a,b": 'say "hi"\r\nthere', n: 1234567, j: { x: [1, 2] } }, 2],
    [{ "a,b": "", n: "18446744073709551615", j: null }, 1],
    [{ "a,b": null, n: null, j: " " }, 1],
  ]);
  rows.sortBy("n");
  assert.equal(toCsv(columns, rows), [
    '"a,b",n,j',
    '"say ""hi""\r\nthere",1234567,"{""x"":[1,2]}"',
    '"say ""hi""\r\nthere",1234567,"{""x"":[1,2]}"',
    '"",18446744073709551615,',
    ',," "',
    "",
  ].join("\r\n"));
});

test("csv_gives_a_spreadsheet_nothing_to_run", () => {
  const columns = [{ name: "t", type: "text" }];
  const rows = new Rows(columns);
  const texts = ["=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", "-1", "+1.5", "-.5", "a=b", "=HYPERLINK(\"x\")"];
  rows.reset(texts.map((t) => [{ t }, 1]));
  const lines = toCsv(columns, rows).trimEnd().split("\r\n").slice(1).sort();
  assert.deepEqual(lines, ["'=1+1", "'+SUM(A1)", "'-2+3", "'@x", "'\t=1", "-1", "+1.5", "-.5", "a=b", '"\'=HYPERLINK(""x"")"'].sort());
});

test("changes_are_told_apart_by_a_sign", () => {
  const data = [
    { delete: { user: "x", n: 1 } }, { delete: { user: "y", n: 1 } }, { delete: { user: null, n: 2 } },
    { insert: { user: "x", n: 2 } }, { insert: { user: "z", n: 1 } },
  ];
  assert.deepEqual(changesOf("delta", JSON.stringify(data)), [["-", "y · 1"], ["-", "∅ · 2"], ["~", "x · 1 → 2"], ["+", "z · 1"]]);
  assert.deepEqual(changesOf("delta", '[{"delete":{"n":7}},{"insert":{"n":8}}]'), [["~", "7 → 8"]]);
  assert.deepEqual(changesOf("base", '[{"a":"","b":{"c":1}}]'), [["+", '∅ · {"c":1}']]);
  for (const [type, text] of [["upstream", '"lost"'], ["gone", '{"reason":"x"}'], ["base", `["${"x".repeat(300_000)}"]`]]) assert.deepEqual(changesOf(type, text), []);
});

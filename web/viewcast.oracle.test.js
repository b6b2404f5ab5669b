// node --test web/viewcast.oracle.test.js
// Random streams against an oracle that knows the view's whole history: late
// bases, repeats, heartbeats, consolidated deltas, resumed connections.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { latest, sorted, start } from "../tests/browser/fake-eventsource.mjs";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** mulberry32: a seeded generator, so that a failure can be run again. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The view's history: the sorted texts of its rows at every timestamp, and the delta from one to another. */
class Oracle {
  at = [[]];
  constructor(pick) {
    this.pick = pick;
  }
  tick() {
    const rows = [...this.at.at(-1)];
    for (let n = this.pick(5); n > 0; n -= 1) {
      if (rows.length > 0 && this.pick(2) === 0) rows.splice(this.pick(rows.length), 1);
      else rows.push(["{}", '{"j":1}', '{"j":1.0}', '{"a":"]}\\""}', `{"n":${this.pick(6)}}`][this.pick(5)]);
    }
    this.at.push(rows.sort());
  }
  delta(from, to) {
    const deleted = [...this.at[from]];
    const inserted = this.at[to].filter((text) => {
      const index = deleted.indexOf(text);
      if (index >= 0) deleted.splice(index, 1);
      return index < 0;
    });
    return `[${[...deleted.map((text) => `{"delete":${text}}`), ...inserted.map((text) => `{"insert":${text}}`)].join(",")}]`;
  }
}

test("oracle_random_streams_add_up_to_the_view", async () => {
  const first = Number(process.env.VIEWCAST_SEED ?? 1);
  for (let seed = first; seed < first + 200; seed += 1) {
    const next = random(seed);
    const pick = (below) => Math.floor(next() * below);
    const oracle = new Oracle(pick);
    const { view } = start();
    const folded = [];
    view.addEventListener("base", () => folded.splice(0, Infinity, ...view.rows().map((row) => JSON.stringify(row))));
    view.addEventListener("change", ({ detail }) => {
      for (const row of detail.deleted) folded.splice(folded.indexOf(JSON.stringify(row)), 1);
      for (const row of detail.inserted) folded.push(JSON.stringify(row));
    });
    let known = 0; // the client's timestamp as far as the server knows
    let base = false;
    for (let step = 0; step < 60; step += 1) {
      oracle.tick();
      const now = oracle.at.length - 1;
      const what = pick(10);
      if (!base) {
        // Deltas of any age may come before the base, whole timestamps in order.
        for (let t = Math.max(1, now - pick(4)); t <= now; t += 1) latest().send("delta", `${t}-a`, oracle.delta(t - 1, t));
        known = now - pick(Math.min(3, now));
        latest().send("base", `${known}-a`, `[${oracle.at[known].join(",")}]`);
        [known, base] = [now, true];
      } else if (what < 6) {
        if (pick(2) === 0) latest().send("delta", `${now}-a`, oracle.delta(known, now));
        else for (let t = known + 1; t <= now; t += 1) latest().send("delta", `${t}-a`, oracle.delta(t - 1, t));
        if (pick(3) === 0) latest().send("delta", `${now}-a`, oracle.delta(known, now)); // once more
        known = now;
      } else if (what === 6) {
        latest().send("delta", `${known}-a`, []);
      } else if (what === 7) {
        latest().fail(); // resumed from what was known
        latest().open();
      } else if (what === 8) {
        latest().fail(); // resumed with a base
        latest().open();
        latest().send("base", `${now}-a`, `[${oracle.at[now].join(",")}]`);
        known = now;
      } else {
        view.pause();
        view.resume();
        latest().open();
      }
      const want = oracle.at[known].map((text) => JSON.stringify(JSON.parse(text))).sort();
      assert.deepEqual(sorted(view.rows()), want, `seed ${seed}, step ${step}: VIEWCAST_SEED=${seed} runs it first`);
      assert.deepEqual([...folded].sort(), want, `changes of seed ${seed}, step ${step}`);
      assert.equal(view.size, want.length);
    }
    view.close();
  }
});

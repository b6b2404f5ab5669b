// Several views on one connection, in Chromium: by its own EventSource with a dozen lines, and by
// ViewStream. At every common time the sums of two views agree, also after the gateway was killed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayUrl, launch, until } from "./chromium.mjs";

const STREAM = "/stream?view=counter&view=edits_by_language";

/** As a front-end developer would write it; runs in the page. */
function readPlainly(address, seen) {
  const source = new EventSource(address);
  const rows = { counter: new Map(), edits_by_language: new Map() };
  let pending = [];
  const add = (map, row, n) => {
    const text = JSON.stringify(row);
    const count = (map.get(text) ?? 0) + n;
    if (count === 0) map.delete(text);
    else map.set(text, count);
  };
  for (const [view, map] of Object.entries(rows)) {
    source.addEventListener(`${view}.base`, ({ data }) => pending.push(() => (map.clear(), JSON.parse(data).forEach((row) => add(map, row, 1)), seen.bases++)));
    source.addEventListener(`${view}.delta`, ({ data }) => pending.push(() => JSON.parse(data).forEach((it) => (it.insert ? add(map, it.insert, 1) : add(map, it.delete, -1)))));
  }
  source.addEventListener("open", () => (seen.opens++, (pending = [])));
  source.addEventListener("consistent", () => {
    pending.splice(0).forEach((apply) => apply());
    const sums = Object.values(rows).map((map) => [...map].reduce((sum, [text, n]) => sum + JSON.parse(text).edits * n, 0));
    seen.plain.push(sums);
  });
}

test("sums of two views agree at every common time in Chromium", async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${gatewayUrl()}/healthz`);
    await page.evaluate(
      async ([stream, reader]) => {
        window.seen = { bases: 0, opens: 0, plain: [], module: [], wrong: [] };
        new Function(`return ${reader}`)()(stream, window.seen);
        const { ViewStream } = await import("/assets/viewcast.js");
        const all = new ViewStream(stream);
        const [counter, languages] = ["counter", "edits_by_language"].map((name) => all.view(name));
        const sum = (view) => view.rows().reduce((sum, row) => sum + row.edits, 0);
        for (const view of [all, counter, languages]) view.addEventListener("error", ({ detail }) => window.seen.wrong.push(detail.message));
        all.addEventListener("consistent", () => window.seen.module.push([sum(counter), sum(languages)]));
      },
      [STREAM, readPlainly.toString()],
    );
    const read = () => page.evaluate(() => window.seen);
    const changed = (pairs) => new Set(pairs.map(([edits]) => edits)).size;
    const first = await until("ten changes on both", read, ({ plain, module }) => changed(plain) > 10 && changed(module) > 10);
    assert.equal(first.bases, 2);
    // What a network does: both are cut, and go on from their ids.
    await page.context().setOffline(true);
    await until("the gateway to miss them", async () => {
      const { views } = await (await fetch(`${gatewayUrl()}/views`)).json();
      return views.find(({ name }) => name === "counter").subscribers === 0;
    }).catch(() => {}); // an open connection survives in some versions
    await page.context().setOffline(false);
    const count = (await read()).plain.length;
    const last = await until("more of them", read, ({ plain, module }) => plain.length > count + 5 && module.length > count + 5);
    assert.equal(last.bases, 2, "resumed without a base");
    assert.deepEqual(last.wrong, []);
    for (const pairs of [last.plain, last.module]) for (const [edits, sum] of pairs) assert.equal(edits, sum);
  } finally {
    await browser.close();
  }
});

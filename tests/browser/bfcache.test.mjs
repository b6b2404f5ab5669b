// A page that a reader leaves and comes back to with the back button: Chromium keeps it in its
// back/forward cache, and its streams let go of their connections there and go on after it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { gatewayUrl, subscribers, until } from "./chromium.mjs";

test("a page that comes back from the back/forward cache goes on without a base", async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run"],
    ignoreDefaultArgs: ["--disable-back-forward-cache"], // playwright's own
  });
  try {
    const url = gatewayUrl();
    const page = await browser.newPage();
    // Any page of the gateway's that may be kept: not one that says `no-store`.
    await page.goto(`${url}/assets/style.css`);
    await page.evaluate(async () => {
      const { ViewStream } = await import("/assets/viewcast.js");
      window.seen = { bases: 0, changes: 0, consistent: 0, errors: [] };
      addEventListener("pageshow", (event) => (window.seen.persisted = event.persisted));
      window.view = new ViewStream("/user_edits/stream");
      window.both = new ViewStream("/stream?view=counter&view=edits_by_language");
      for (const view of [window.view, window.both.view("counter"), window.both.view("edits_by_language")]) {
        view.addEventListener("base", () => window.seen.bases++);
        view.addEventListener("change", () => window.seen.changes++);
        view.addEventListener("error", ({ detail }) => window.seen.errors.push(detail.message));
      }
      window.both.addEventListener("consistent", () => window.seen.consistent++);
    });
    const read = () => page.evaluate(() => ({ ...window.seen, statuses: [window.view.status, window.both.status, window.both.view("counter").status]}));
    await until("changes", read, ({ changes, consistent }) => changes > 6 && consistent > 2);
    await page.goto(`${url}/assets/dom.js`);
    await until("the connections to be let go of", () => subscribers(url), (all) => all.user_edits + all.counter === 0);
    await page.evaluate(() => history.back());
    const known = () => page.evaluate(() => window.seen?.persisted).catch(() => null); // between two documents
    const persisted = await until("the page to be back", known, (persisted) => persisted !== null && persisted !== undefined);
    assert.equal(persisted, true, "it was kept, not loaded again");
    const before = await read();
    const after = await until("changes again", read, ({ changes, consistent }) => changes > before.changes + 3 && consistent > before.consistent + 2);
    assert.deepEqual(after.statuses, ["live", "live", "live"]);
    assert.deepEqual({ bases: after.bases, errors: after.errors }, { bases: 3, errors: [] });
    const sums = await page.evaluate(() => ["counter", "edits_by_language"].map((name) => window.both.view(name).rows().reduce((sum, { edits }) => sum + edits, 0)));
    assert.equal(sums[0], sums[1]);
  } finally {
    await browser.close();
  }
});

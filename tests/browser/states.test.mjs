// node --test states.test.mjs
// What the page says when something is wrong: against the scripted gateway,
// since a real one cannot be told to lose its Materialize at a given moment.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, newPage, panel, until, untilLive } from "./chromium.mjs";
import { startFakeGateway } from "./fake-gateway.mjs";

const SCREENSHOTS = process.env.SCREENSHOT_DIR ?? fileURLToPath(new URL("../../target/screenshots", import.meta.url));

const AXE = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");

let browser;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** A scripted gateway that ends with its test. */
async function play(t, options) {
  const gateway = await startFakeGateway(options);
  t.after(() => gateway.close());
  return gateway;
}

const statusOf = (page, view) => panel(page, view).locator(".status").first();
const untilSays = (page, view, pattern) => until(`${view} to say ${pattern}`, () => statusOf(page, view).innerText(), (text) => pattern.test(text));
const isGrey = (page, view) => panel(page, view).evaluate((node) => node.classList.contains("is-old"));

test("upstream_lost_is_greyed_with_its_time_until_live", async (t) => {
  const gateway = await play(t, { tickMs: 200 });
  const { page, faults, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await untilLive(page, "counter");
  gateway.lost();
  await untilSays(page, "counter", /stale\s*as of .*\d.*upstream lost/);
  assert.ok(await isGrey(page, "counter"));
  assert.match(await page.title(), /stale/);
  gateway.live();
  await untilLive(page, "counter");
  assert.ok(!(await isGrey(page, "counter")));
  assert.deepEqual(faults, []);
});

test("gone_view_keeps_its_last_rows", async (t) => {
  const gateway = await play(t, { tickMs: 200 });
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await untilLive(page, "top10");
  gateway.gone("top10");
  await untilSays(page, "top10", /gone\s*as of .*view was dropped/);
  assert.equal(await panel(page, "top10").locator(".ranking li").count(), 10);
  await untilLive(page, "counter");
});

test("gateway_killed_and_back_is_live_again_by_itself", async (t) => {
  let gateway = await play(t, { tickMs: 200 });
  const port = Number(new URL(gateway.url).port);
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await untilLive(page, "counter");
  await gateway.close();
  await untilSays(page, "counter", /offline\s*as of .*\d.* · no answer\n/);
  for (const rate of ["events", "changes"]) await until("no rate to be claimed", () => page.locator(`#${rate}-per-second`).innerText(), (text) => text === "–");
  await until("the list to be said to be old", () => page.locator("#catalog-standing").innerText(), (text) => /^as of .*\d.* · no answer$/.test(text));
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact}: ${id} at ${nodes.map(({ target }) => target).join("; ")}`), []);
  gateway = await play(t, { tickMs: 200, port });
  await untilLive(page, "counter");
  await untilLive(page, "top10");
});

test("own_views_are_listed_with_rows_lag_subscribers_and_links", async (t) => {
  const gateway = await play(t, { tickMs: 200, only: ["mz_frontiers", "mz_views"] });
  const { page, faults, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  const lines = page.locator("#catalog tbody tr");
  await until("both views", () => lines.count(), (count) => count === 2);
  const cells = await lines.nth(0).locator("th, td").allInnerTexts();
  assert.deepEqual(cells.slice(0, 4), ["mz_views", "3", "0", "live"]);
  assert.match(cells[4], /^\d+ ms$|^\d+\.\d s$/);
  assert.equal(await page.locator("#dashboard .panel").count(), 0);
  await page.screenshot({ path: join(SCREENSHOTS, "list-1280x800.png") });
  await page.getByRole("link", { name: "mz_views" }).click();
  await untilLive(page, "mz_views");
  await until("rows", () => panel(page, "mz_views").locator("tbody tr:not(.space)").count(), (count) => count === 3);
  assert.deepEqual(faults, []);
});

test("page_without_a_token_says_that_one_is_needed", async (t) => {
  const gateway = await play(t, { refuse: true });
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await until("the notice", () => page.locator("#notice").innerText(), (text) => /needs an access token/.test(text));
});

test("view_page_greys_what_is_old_and_keeps_it", async (t) => {
  const gateway = await play(t, { tickMs: 200 });
  const { page, faults, close } = await newPage(browser);
  t.after(close);
  await page.goto(`${gateway.url}/#/top10`);
  await untilLive(page, "top10");
  gateway.lost();
  await untilSays(page, "top10", /stale\s*as of .*\d.*upstream lost/);
  assert.ok(await isGrey(page, "top10"));
  await page.screenshot({ path: join(SCREENSHOTS, "view-stale-1280x800.png") });
  gateway.live();
  await untilLive(page, "top10");
  gateway.gone("top10");
  await untilSays(page, "top10", /gone\s*as of .*view was dropped/);
  assert.equal(await page.title(), "(gone) top10 · viewcast");
  assert.equal(await panel(page, "top10").locator("tbody tr:not(.space)").count(), 10);
  assert.deepEqual(faults, []);
});

test("view_of_100000_rows_scrolls_sorts_filters_and_stays_exact", async (t) => {
  const gateway = await play(t, { tickMs: 200, only: [], bigRows: 100_000 });
  const { page, faults, close } = await newPage(browser);
  t.after(close);
  await page.addInitScript(() => {
    window.long = [];
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask", buffered: true });
  });
  await page.goto(`${gateway.url}/#/big`);
  await untilLive(page, "big");
  const view = panel(page, "big");
  const lines = view.locator("tbody tr:not(.space)");
  await until("rows", () => lines.count());
  assert.match(await view.locator(".count").innerText(), /^102,000 rows, 100,\d{3} different ones$/);
  const loaded = await page.evaluate(() => window.long.splice(0).map(Math.round));

  // From top to bottom in big steps, while rows change.
  const scroll = view.locator(".body .scroll");
  await view.getByRole("button", { name: "id", exact: true }).click();
  const numbers = async () => (await lines.locator("td:nth-child(2)").allInnerTexts()).map((text) => Number(text.replaceAll(",", "")));
  let copies = 0;
  for (let step = 0; step <= 20; step += 1) {
    await scroll.evaluate((node, part) => (node.scrollTop = part * node.scrollHeight), step / 20);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const seen = await numbers();
    assert.ok(seen.length > 10 && seen.length < 60, `${seen.length} rows in the document`);
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b), "in order");
    copies += (await lines.locator(".copies").allInnerTexts()).filter((text) => text === "×3").length;
  }
  assert.ok(copies > 0, "multiplicities are shown");
  assert.ok((await numbers()).at(-1) > 100_000, "the last row is reached");
  const scrolled = await page.evaluate(() => window.long.splice(0).map(Math.round));

  await view.getByRole("searchbox").fill("row 4242,");
  await until("the filter", () => view.locator(".count").innerText(), (text) => /^1[23] of /.test(text));
  const filtered = await page.evaluate(() => window.long.splice(0).map(Math.round));
  console.log(`tasks over 50 ms, in ms: loading ${loaded}; sorting and scrolling ${scrolled}; filtering ${filtered}`);

  // What the table shows is what the gateway holds.
  await view.getByRole("searchbox").fill("");
  gateway.lost();
  await untilSays(page, "big", /stale/);
  await view.getByRole("button", { name: "Copy as CSV" }).click();
  await view.getByRole("button", { name: "Copied" }).waitFor();
  const csv = await page.evaluate(() => navigator.clipboard.readText());
  const want = gateway.rows("big").map((text) => JSON.parse(text)).map(({ id, name, score }) => `${id},"${name.replaceAll('"', '""')}",${score}`);
  assert.deepEqual(csv.trimEnd().split("\r\n").slice(1).sort(), want.sort());
  assert.deepEqual(faults, []);
});

test("page_behind_another_lets_go_of_its_streams", async (t) => {
  const gateway = await play(t, { tickMs: 200 });
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await untilLive(page, "counter");
  // Headless Chromium never hides a page by itself.
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await untilSays(page, "counter", /paused/);
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await untilLive(page, "counter");
});

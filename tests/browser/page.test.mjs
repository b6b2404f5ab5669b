// VIEWCAST_URL=http://127.0.0.1:8080 node --test page.test.mjs
// The page of a running `viewcast demo`, in a real Chromium.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayUrl, launch, newPage, panel, picture, until, untilLive } from "./chromium.mjs";

const CHARTS = ["counter", "edits_per_minute", "top10", "edits_by_language", "hot_pages"];
const TABLES = ["user_edits", "mz_catalog.mz_views", "mz_internal.mz_frontiers"];
const SCREENSHOTS = process.env.SCREENSHOT_DIR ?? fileURLToPath(new URL("../../target/screenshots", import.meta.url));
const STREAMS_MAX = 5;

const url = gatewayUrl();
let browser;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** Asserts that a view's panel shows data and that the data changes. */
async function assertChanges(page, view) {
  await panel(page, view).scrollIntoViewIfNeeded();
  await untilLive(page, view);
  const first = await until(`${view} to show data`, () => picture(page, view), (seen) => seen.length > 0 && !seen.startsWith("Waiting"));
  await until(`${view} to change`, () => picture(page, view), (seen) => seen !== first);
}

test("charts_show_data_and_change", async () => {
  const { page, faults, streams, close } = await newPage(browser);
  await page.goto(url);
  for (const view of CHARTS) await assertChanges(page, view);
  assert.match(await page.locator("#connection").innerText(), /live/);
  await until("events to be counted", () => page.locator("#events-per-second").innerText(), (text) => Number(text) > 0);
  await until("the lag to be known", () => page.locator("#lag").innerText(), (text) => /\d/.test(text));
  assert.ok(streams.most > 0 && streams.most <= STREAMS_MAX, `${streams.most} streams at once`);
  assert.deepEqual(faults, []);
  await close();
});

test("every_other_view_opens_as_a_table_and_changes", async () => {
  const { page, faults, streams, close } = await newPage(browser);
  await page.goto(url);
  const names = await until("the list of views", () => page.locator("#catalog tbody button").allInnerTexts(), (list) => list.length > 0);
  const others = names.filter((name) => !CHARTS.includes(name));
  assert.deepEqual([...names].sort(), [...CHARTS, ...TABLES].sort(), "every view of the demo is watched in these tests");
  for (const name of others) {
    await page.locator("#catalog").getByRole("button", { name, exact: true }).click();
    await untilLive(page, name);
    await until(`${name} to have rows`, () => panel(page, name).locator("tbody tr").count());
    await assertChanges(page, name);
    assert.equal(await page.locator("#selected .panel").count(), 1, "a table takes the place of the one before");
  }
  assert.ok(streams.most > 0 && streams.most <= STREAMS_MAX, `${streams.most} streams at once`);
  assert.deepEqual(faults, []);
  await close();
});

test("large_view_changes_sorts_and_filters", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#user_edits`);
  await untilLive(page, "user_edits");
  const table = panel(page, "user_edits");
  await until("rows", () => table.locator("tbody tr").count());
  assert.ok((await table.locator("tbody tr").count()) <= 50, "not every row of a large view stands in the document");
  const first = await picture(page, "user_edits");
  await until("user_edits to change", () => picture(page, "user_edits"), (seen) => seen !== first);
  await table.getByRole("button", { name: "user", exact: true }).click();
  await until("the order to be said", () => table.locator("th").first().getAttribute("aria-sort"), (sort) => sort === "ascending");
  await table.getByRole("searchbox").fill("no such user, I hope");
  await until("the filter", () => table.locator("tbody tr").count(), (count) => count === 0);
  assert.deepEqual(faults, []);
  await close();
});

test("chart_turns_into_a_table_by_keyboard", async () => {
  const { page, faults, close } = await newPage(browser, { reducedMotion: "reduce" });
  await page.goto(url);
  await untilLive(page, "top10");
  const toggle = panel(page, "top10").getByRole("button", { name: "Table" });
  await toggle.focus();
  await page.keyboard.press("Enter");
  await until("the table", () => panel(page, "top10").locator("tbody tr").count(), (count) => count > 0 && count <= 10);
  await page.keyboard.press("Enter");
  await until("the chart", () => panel(page, "top10").locator(".ranking li").count());
  assert.deepEqual(faults, []);
  await close();
});

test("page_has_landmarks_headings_and_no_markup_from_data", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(url);
  for (const view of CHARTS) await untilLive(page, view);
  for (const landmark of ["banner", "main"]) assert.equal(await page.getByRole(landmark).count(), 1, landmark);
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
  assert.ok((await page.getByRole("heading", { level: 2 }).count()) >= CHARTS.length + 1);
  assert.equal(await page.locator(".panel :is(script, b, i, a, iframe, object)").count(), 0);
  assert.equal(await page.locator(".panel [onerror], .panel [onload]").count(), 0);
  assert.deepEqual(faults, []);
  await close();
});

for (const [width, height] of [[1280, 800], [390, 844]]) {
  for (const colorScheme of ["dark", "light"]) {
    test(`screenshot_${width}x${height}_${colorScheme}`, async () => {
      const { page, faults, close } = await newPage(browser, { width, height, colorScheme });
      await page.goto(url);
      await untilLive(page, "counter");
      await assertChanges(page, width < 700 ? "counter" : "hot_pages");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out to the side");
      await page.screenshot({ path: join(SCREENSHOTS, `page-${width}x${height}-${colorScheme}.png`), animations: "disabled" });
      for (const view of CHARTS) {
        await panel(page, view).scrollIntoViewIfNeeded();
        await untilLive(page, view);
      }
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: join(SCREENSHOTS, `page-${width}x${height}-${colorScheme}-full.png`), fullPage: true, animations: "disabled" });
      assert.deepEqual(faults, []);
      await close();
    });
  }
}

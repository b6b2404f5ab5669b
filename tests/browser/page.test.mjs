// VIEWCAST_URL=http://127.0.0.1:8080 node --test page.test.mjs
// The page of a running `viewcast demo`, in a real Chromium.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayUrl, launch, newPage, newTab, panel, picture, subscribers, until, untilLive } from "./chromium.mjs";
import { startSite } from "./site.mjs";

const CHARTS = ["counter", "edits_per_minute", "top10", "edits_by_language", "hot_pages"];
const TABLES = ["user_edits", "page_edits", "mz_catalog.mz_views", "mz_internal.mz_frontiers"];
const SCREENSHOTS = process.env.SCREENSHOT_DIR ?? fileURLToPath(new URL("../../target/screenshots", import.meta.url));
const STREAMS_MAX = 5;
/** What the page may weigh, uncompressed, in bytes: scripts, and all of it. */
const SCRIPTS_MAX = 105_000;
const PAGE_MAX = 125_000;
/** Layout shift that Google's measure still calls good. */
const SHIFT_MAX = 0.1;
const AXE = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");

const url = gatewayUrl();
let browser;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

const rowsOf = (page, view) => panel(page, view).locator("tbody tr:not(.space)");

/** Asserts that a view's panel shows data and that the data changes. */
async function assertChanges(page, view) {
  await panel(page, view).scrollIntoViewIfNeeded();
  await untilLive(page, view);
  const first = await until(`${view} to show data`, () => picture(page, view), (seen) => seen.length > 0 && !seen.startsWith("Waiting"));
  await until(`${view} to change`, () => picture(page, view), (seen) => seen !== first);
}

test("charts_show_data_and_change", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(url);
  for (const view of CHARTS) await assertChanges(page, view);
  assert.match(await page.locator("#connection").innerText(), /live/);
  await until("events to be counted", () => page.locator("#events-per-second").innerText(), (text) => Number(text) > 0);
  await until("what is shown to be said", () => page.locator("#about").innerText(), (text) => /^A recording of Wikipedia's edits of 12 September 2015, replayed at [\d.]+ a second\. Look behind it: psql postgres:\/\/\S+ · viewcast \d+\.\d+\.\d+$/.test(text));
  await until("the latency to be known", () => page.locator("#latency").innerText(), (text) => /^\d+ ms$|^\d+\.\d s$/.test(text));
  assert.deepEqual(faults, []);
  await close();
});

test("two_tabs_share_their_streams", async () => {
  const { page, context, faults, close } = await newPage(browser);
  await page.goto(url);
  for (const view of CHARTS) await untilLive(page, view);
  const other = await newTab(context);
  await other.page.goto(url);
  for (const view of CHARTS) await untilLive(other.page, view);
  const counts = await subscribers(url);
  for (const view of CHARTS) assert.equal(counts[view], 1, `${view} of two tabs`);
  assert.ok(Object.values(counts).reduce((sum, count) => sum + count) <= STREAMS_MAX, JSON.stringify(counts));
  await page.close();
  await assertChanges(other.page, "counter");
  assert.deepEqual([...faults, ...other.faults], []);
  await close();
  await until("all streams to end", () => subscribers(url), (left) => Object.values(left).every((count) => count === 0));
});

test("every_view_has_a_page_of_its_own", async () => {
  const { page, faults, close } = await newPage(browser, { reducedMotion: "reduce" });
  await page.goto(url);
  const names = await until("the list of views", () => page.locator("#catalog tbody a").allInnerTexts(), (list) => list.length > CHARTS.length);
  assert.deepEqual([...names].sort(), [...CHARTS, ...TABLES].sort(), "every view of the demo is watched in these tests");
  for (const name of names) {
    await page.locator("#catalog").getByRole("link", { name, exact: true }).focus();
    await page.keyboard.press("Enter");
    await untilLive(page, name);
    await until(`${name} to have rows`, () => rowsOf(page, name).count());
    assert.equal(await page.title(), `${name} · viewcast`);
    assert.equal(await page.locator("h2:focus").innerText(), name, "the reader is taken to its heading");
    assert.equal(await page.locator("#dashboard").isVisible(), false);
    if (TABLES.includes(name)) await assertChanges(page, name);
    await page.goBack();
    await until("the way back", () => page.locator("#catalog").isVisible());
  }
  await until("one view's stream to end", () => subscribers(url), (counts) => counts.user_edits === 0);
  await page.goto(`${url}/#/no%20such%20%3Cb%3Eview`);
  await until("the view to be missed", () => page.locator("#notice").innerText(), (text) => text.includes("“no such <b>view”"));
  assert.deepEqual(faults, []);
  await close();
});

test("view_page_changes_sorts_filters_copies_and_shows_its_stream", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#/user_edits`);
  await untilLive(page, "user_edits");
  const view = panel(page, "user_edits");
  await until("rows", () => rowsOf(page, "user_edits").count());
  assert.ok((await rowsOf(page, "user_edits").count()) < 60, "not every row of a large view stands in the document");
  const first = await picture(page, "user_edits");
  await until("user_edits to change", () => picture(page, "user_edits"), (seen) => seen !== first);

  const events = view.locator(".events");
  await until("the changes", () => events.innerText(), (text) => /^delta \d+ rows?$/m.test(text) && /^~ .+ · \d+ → \d+$/m.test(text));
  await view.getByRole("button", { name: "Raw" }).click();
  await until("the stream", () => events.innerText(), (text) => /event: delta\ndata: \[.*\nid: \d+-\w+/.test(text));
  assert.equal(await view.locator(".curl-line code").innerText(), `curl -N ${url}/user_edits/stream`);
  await view.getByRole("button", { name: "Copy the curl command" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `curl -N ${url}/user_edits/stream`);
  await view.getByRole("button", { name: "Stream" }).click();
  assert.equal(await events.isVisible(), false);

  await view.getByRole("button", { name: "user", exact: true }).click();
  await until("the order to be said", () => view.locator("th[aria-sort=ascending]").innerText(), (text) => text === "user text");
  await view.getByRole("searchbox").fill("bot");
  await until("the filter", () => view.locator(".count").innerText(), (text) => /^[\d,]+ of [\d,]+ rows$/.test(text));
  await view.getByRole("button", { name: "Copy as CSV" }).click();
  await view.getByRole("button", { name: "Copied" }).waitFor();
  const csv = await page.evaluate(() => navigator.clipboard.readText());
  const [head, ...lines] = csv.trimEnd().split("\r\n");
  assert.equal(head, "user,count");
  assert.ok(lines.length > 10 && lines.every((line) => /bot/i.test(line)), "what the filter leaves");
  await view.getByRole("searchbox").fill("no such user, I hope");
  await until("the filter", () => rowsOf(page, "user_edits").count(), (count) => count === 0);
  assert.deepEqual(faults, []);
  await close();
});

test("view_page_shows_its_sql_beside_the_rows_and_the_newest_events", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#/top10`);
  await untilLive(page, "top10");
  const view = panel(page, "top10");
  const sql = view.locator(".sql code");
  await until("the SQL", () => sql.innerText(), (text) => /^CREATE MATERIALIZED VIEW materialize\.public\.top10\n[^]*SELECT "user", count\n +FROM user_edits/.test(text));
  assert.deepEqual(await sql.locator("b").first().innerText(), "CREATE");
  await view.getByRole("button", { name: "Copy the SQL" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await sql.innerText());
  // The list of events has become shorter by it, and follows the newest all the same.
  const scroll = view.locator(".wire .scroll");
  await until("many events", () => scroll.evaluate((node) => node.scrollHeight > node.clientHeight));
  await until("the newest", () => scroll.evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight < 40));
  await view.getByRole("button", { name: "SQL", exact: true }).click();
  assert.equal(await sql.isVisible(), false);
  await page.goto(`${url}/#/mz_catalog.mz_views`);
  await untilLive(page, "mz_catalog.mz_views");
  assert.equal(await panel(page, "mz_catalog.mz_views").getByRole("button", { name: "SQL", exact: true }).count(), 0, "a table has none");
  assert.deepEqual(faults, []);
  await close();
});

test("documents_are_those_of_the_gateway_itself", async () => {
  const { page, close } = await newPage(browser);
  await page.goto(url);
  const links = await page.getByRole("navigation", { name: "Documentation" }).getByRole("link").evaluateAll((all) => all.map(({ href }) => href));
  assert.equal(links.length, 4);
  for (const link of links) {
    const answer = await fetch(link);
    assert.equal(answer.status, 200, link);
    assert.ok((await answer.text()).length > 1000, link);
  }
  await close();
});

test("page_works_below_a_path_of_a_proxy", async (t) => {
  const site = await startSite(url, { prefix: "/deep/down" });
  t.after(() => site.close());
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${site.url}/`);
  for (const view of CHARTS) await assertChanges(page, view);
  await page.goto(`${site.url}/#/user_edits?user=eq.Cheers!-bot`);
  await untilLive(page, "user_edits");
  await until("one row", () => rowsOf(page, "user_edits").count(), (count) => count === 1);
  assert.equal(await page.locator(".curl-line code").innerText(), `curl -N '${site.url}/user_edits/stream?user=eq.Cheers!-bot'`);
  assert.deepEqual(faults, []);
  await page.getByRole("link", { name: "JSON" }).click();
  await until("the rows as JSON", () => page.locator("body").innerText(), (text) => text.startsWith('[{"user":"Cheers!-bot"'));
  await close();
});

test("page_has_landmarks_headings_and_no_markup_from_data", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(url);
  for (const view of CHARTS) await untilLive(page, view);
  for (const landmark of ["banner", "main"]) assert.equal(await page.getByRole(landmark).count(), 1, landmark);
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
  assert.ok((await page.getByRole("heading", { level: 2 }).count()) >= CHARTS.length + 1);
  assert.equal(await page.locator(".panel .body :is(script, b, i, a, iframe, object)").count(), 0);
  assert.equal(await page.locator(".panel [onerror], .panel [onload]").count(), 0);
  assert.deepEqual(faults, []);
  await close();
});

for (const colorScheme of ["dark", "light"]) {
  test(`axe_finds_nothing_in_${colorScheme}`, async () => {
    // Colours are those of the end of a flash.
    const { page, close } = await newPage(browser, { colorScheme, reducedMotion: "reduce" });
    for (const [path, view] of [["/", "counter"], ["/#/user_edits", "user_edits"]]) {
      await page.goto(`${url}${path}`);
      await untilLive(page, view);
      if (path === "/") for (const each of CHARTS) await untilLive(page, each);
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      assert.ok(passes.length > 10, "axe looked at something");
      assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact}: ${id} at ${nodes.map(({ target }) => target).join("; ")}`), [], path);
    }
    await close();
  });
}

for (const [width, height] of [[1280, 800], [390, 844], [1920, 1080]]) test(`page_is_light_and_does_not_jump_at_${width}x${height}`, async () => {
  const { page, close } = await newPage(browser, { width, height });
  await page.addInitScript(() => {
    window.shift = 0;
    window.shifted = [];
    window.heights = {};
    const look = () => {
      for (const { dataset, offsetHeight } of document.querySelectorAll("#dashboard .panel")) (window.heights[dataset.view] ??= new Set()).add(offsetHeight);
      requestAnimationFrame(look);
    };
    look();
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput)) {
        window.shift += entry.value;
        window.shifted.push(...entry.sources.map(({ node }) => `${node?.nodeName}.${node?.className ?? ""} ${entry.value.toFixed(4)}`));
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  const weights = [];
  page.on("response", async (response) => {
    const { pathname } = new URL(response.url());
    if (pathname === "/" || pathname.startsWith("/assets/")) weights.push(response.body().then((body) => [pathname, body.length]));
  });
  for (const [path, view] of [["/", "counter"], ["/#/user_edits", "user_edits"]]) {
    await page.goto(`${url}${path}`);
    await untilLive(page, view);
    if (path === "/") for (const each of CHARTS) await assertChanges(page, each);
    const shift = await page.evaluate(() => window.shift);
    console.log(`layout shift of ${path}: ${shift.toFixed(4)}`);
    assert.ok(shift < SHIFT_MAX, `${path} jumps by ${shift}: ${await page.evaluate(() => window.shifted)}`);
    console.log(`what moved: ${(await page.evaluate(() => window.shifted)).slice(0, 12).join("; ")}`);
    const heights = await page.evaluate(() => Object.entries(window.heights).map(([view, seen]) => [view, ...seen]));
    if (path === "/") assert.equal(heights.length, CHARTS.length);
    for (const [view, ...seen] of path === "/" ? heights : []) assert.equal(seen.length, 1, `${view} is ${seen.join(", then ")} px high`);
    // A new page, not one that only goes to another part of itself.
    await page.goto("about:blank");
  }
  const files = Object.fromEntries(await Promise.all(weights));
  const sum = (list) => list.reduce((total, [, size]) => total + size, 0);
  const all = sum(Object.entries(files));
  const scripts = sum(Object.entries(files).filter(([path]) => path.endsWith(".js")));
  console.log(`${scripts} bytes of script, ${all} in all, ${Object.keys(files).length} files`);
  assert.ok(scripts < SCRIPTS_MAX && all < PAGE_MAX, JSON.stringify(files));
  await close();
});

for (const [width, height] of [[1280, 800], [390, 844], [1920, 1080]]) {
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
      await page.goto(`${url}/#/user_edits`);
      await untilLive(page, "user_edits");
      await until("rows", () => rowsOf(page, "user_edits").count());
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out to the side");
      await page.screenshot({ path: join(SCREENSHOTS, `view-${width}x${height}-${colorScheme}.png`), animations: "disabled" });
      assert.deepEqual(faults, []);
      await close();
    });
  }
}

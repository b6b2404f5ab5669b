// node --test states.test.mjs
// What the page says when something is wrong: against the scripted gateway,
// since a real one cannot be told to lose its Materialize at a given moment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage, panel, until, untilLive } from "./chromium.mjs";
import { startFakeGateway } from "./fake-gateway.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

const statusOf = (page, view) => panel(page, view).locator(".status").first();
const untilSays = (page, view, pattern) => until(`${view} to say ${pattern}`, () => statusOf(page, view).innerText(), (text) => pattern.test(text));
const isGrey = (page, view) => panel(page, view).evaluate((node) => node.classList.contains("is-old"));

test("upstream_lost_is_greyed_with_its_time_until_live", async () => {
  const gateway = await startFakeGateway({ tickMs: 200 });
  const { page, faults, close } = await newPage(browser);
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
  await close();
  await gateway.close();
});

test("gone_view_keeps_its_last_rows", async () => {
  const gateway = await startFakeGateway({ tickMs: 200 });
  const { page, close } = await newPage(browser);
  await page.goto(gateway.url);
  await untilLive(page, "top10");
  gateway.gone("top10");
  await untilSays(page, "top10", /gone\s*as of .*view was dropped/);
  assert.equal(await panel(page, "top10").locator(".ranking li").count(), 10);
  await untilLive(page, "counter");
  await close();
  await gateway.close();
});

test("gateway_killed_and_back_is_live_again_by_itself", async () => {
  let gateway = await startFakeGateway({ tickMs: 200 });
  const port = Number(new URL(gateway.url).port);
  const { page, close } = await newPage(browser);
  await page.goto(gateway.url);
  await untilLive(page, "counter");
  await gateway.close();
  await untilSays(page, "counter", /reconnecting\s*as of .*\d/);
  gateway = await startFakeGateway({ tickMs: 200, port });
  await untilLive(page, "counter");
  await untilLive(page, "top10");
  await close();
  await gateway.close();
});

test("own_views_get_tables_and_the_first_one_is_open", async () => {
  const gateway = await startFakeGateway({ tickMs: 200, only: ["mz_frontiers", "mz_views"] });
  const { page, faults, close } = await newPage(browser);
  await page.goto(gateway.url);
  await untilLive(page, "mz_views");
  assert.equal(await page.locator("#dashboard .panel").count(), 0);
  await until("rows", () => panel(page, "mz_views").locator("tbody tr").count(), (count) => count === 3);
  assert.deepEqual(faults, []);
  await close();
  await gateway.close();
});

test("page_behind_another_lets_go_of_its_streams", async () => {
  const gateway = await startFakeGateway({ tickMs: 200 });
  const { page, close } = await newPage(browser);
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
  await close();
  await gateway.close();
});

// VIEWCAST_URL=http://127.0.0.1:8080 node --test shared.test.mjs
// Ten tabs and one connection, with Chromium's own SharedWorker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayUrl, launch, until } from "./chromium.mjs";

const TABS = 10;
const url = gatewayUrl();
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

const subscribers = async (view) => (await (await fetch(`${url}/views`)).json()).views.find(({ name }) => name === view).subscribers;

/** A tab of the gateway's origin that reads top10 and nothing else. */
async function openTab(context) {
  const page = await context.newPage();
  await page.route(`${url}/tab`, (route) => route.fulfill({ contentType: "text/html", body: '<!doctype html><link rel="icon" href="data:,">' }));
  await page.goto(`${url}/tab`);
  await page.evaluate(async () => {
    const { ViewStream } = await import("/assets/viewcast.js");
    window.seen = {};
    window.view = new ViewStream("/top10/stream", { shared: true });
    const keep = () => (window.seen[window.view.position] = window.view.rows().map((row) => JSON.stringify(row)).sort().join());
    for (const type of ["base", "change", "heartbeat"]) window.view.addEventListener(type, keep);
  });
  return page;
}

test("ten_tabs_have_one_connection_and_the_same_rows", async () => {
  const context = await browser.newContext();
  const tabs = [];
  // HTTP/1.1 allows six connections: without sharing, the seventh would never get a row.
  for (let n = 0; n < TABS; n += 1) tabs.push(await openTab(context));
  for (const [n, tab] of tabs.entries()) {
    await until(`tab ${n} to be live`, () => tab.evaluate(() => [window.view.status, window.view.size]), ([status, size]) => status === "live" && size === 10);
  }
  assert.equal(await subscribers("top10"), 1);
  const common = async () => {
    const seen = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.seen)));
    return Object.keys(seen[0]).filter((id) => seen.every((each) => id in each)).map((id) => seen.map((each) => each[id]));
  };
  const ids = await until("positions that all tabs saw", common, (list) => list.length >= 3);
  for (const rows of ids) assert.deepEqual(new Set(rows).size, 1, "all tabs hold the same rows at one position");

  // One after another goes; the connection stays for those who are left, and ends with the last.
  for (const tab of tabs.splice(1)) await tab.close();
  const [last] = tabs;
  const at = await last.evaluate(() => window.view.position);
  await until("the last tab to move on", () => last.evaluate(() => window.view.position), (position) => position !== at);
  assert.equal(await subscribers("top10"), 1);
  await last.evaluate(() => window.view.close());
  await until("the connection to end", () => subscribers("top10"), (count) => count === 0);
  await context.close();
});

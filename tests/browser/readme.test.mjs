// VIEWCAST_URL=http://127.0.0.1:8080 node --test readme.test.mjs
// The front-end code of the README, as it stands there, in a real Chromium on
// pages of the gateway's origin.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gatewayUrl, launch, newPage, until } from "./chromium.mjs";
import { startSite } from "./site.mjs";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const block = (language) => {
  const found = readme.match(new RegExp("```" + language + "\\n([^]*?)```"));
  assert.ok(found, `the README has a block of ${language}`);
  return found[1];
};

const url = gatewayUrl();
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** Opens an HTML text as a page of the gateway's origin. */
async function open(html) {
  const { page, faults, close } = await newPage(browser);
  await page.route(`${url}/readme-example`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(`${url}/readme-example`);
  return { page, faults, close };
}

test("readme_module_example_shows_the_view_and_its_changes", async () => {
  const { page, faults, close } = await open(`<!doctype html><link rel="icon" href="data:,">${block("html")}`);
  const read = () => page.locator("#top").innerText();
  const first = await until("ten rows", read, (text) => text !== "" && JSON.parse(text).length === 10);
  await until("a change", read, (text) => text !== first && JSON.parse(text).length === 10);
  assert.deepEqual(faults, []);
  await close();
});

const plain = `${block("js")}\nwindow.count = () => [...rows.values()].reduce((sum, copies) => sum + copies, 0);\nwindow.text = () => [...rows.keys()].sort().join();`;

test("readme_plain_example_comes_back_from_a_proxys_502", async (t) => {
  const site = await startSite(url, { pages: { "/plain": `<script>${plain}</script>` } });
  t.after(() => site.close());
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(`${site.url}/plain`);
  await until("ten rows", () => page.evaluate(() => window.count()), (count) => count === 10);
  site.setDown(true);
  const asked = site.passed.length;
  await until("it to be refused", async () => site.passed.length > asked);
  const before = await page.evaluate(() => window.text());
  site.setDown(false);
  await until("a change", () => page.evaluate(() => window.text()), (text) => text !== before);
  assert.equal(await page.evaluate(() => window.count()), 10);
});

test("readme_plain_example_keeps_the_rows", async () => {
  const script = plain;
  const { page, faults, close } = await open(`<!doctype html><link rel="icon" href="data:,"><script>${script}</script>`);
  await until("ten rows", () => page.evaluate(() => window.count()), (count) => count === 10);
  const first = await page.evaluate(() => window.text());
  await until("a change", () => page.evaluate(() => window.text()), (text) => text !== first);
  assert.equal(await page.evaluate(() => window.count()), 10);
  assert.deepEqual(faults, []);
  await close();
});

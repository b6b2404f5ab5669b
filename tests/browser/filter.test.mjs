// VIEWCAST_URL=http://127.0.0.1:8080 node --test filter.test.mjs
// The page's filter box, in a real Chromium: it asks the gateway, says what the gateway says, and can be linked.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayUrl, launch, newPage, panel, subscribers, until, untilLive } from "./chromium.mjs";

const AXE = readFileSync(fileURLToPath(new URL("node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");
const url = gatewayUrl();
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** Busy in all parts of the recording: there are more edits to come. */
const user = "ClueBot NG";
const cells = (page, view, column) => panel(page, view).evaluate((body, at) => [...body.querySelectorAll("tbody tr:not(.space)")].map((line) => line.children[at].textContent), column);
const count = (page, view) => panel(page, view).locator(".count").innerText();

test("filter_box_asks_the_gateway_and_keeps_the_filter_in_the_address", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#/user_edits`);
  await untilLive(page, "user_edits");
  const view = panel(page, "user_edits");
  await until("all rows", () => count(page, "user_edits"), (text) => Number.parseInt(text.replaceAll(",", ""), 10) > 1);
  const field = view.getByRole("textbox", { name: "user" });
  assert.match(await field.evaluate((node) => node.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent).join(" ")), /in\.\(a,b\).*is\.null/);
  await field.fill(user);
  await page.keyboard.press("Enter");
  await until("its only row", () => count(page, "user_edits"), (text) => text === "1 rows" || text === "1 row");
  await untilLive(page, "user_edits");
  assert.deepEqual(await cells(page, "user_edits", 1), [user]);
  const query = `user=${encodeURIComponent(`eq.${user}`)}`;
  assert.equal(new URL(page.url()).hash, `#/user_edits?${query}`);
  assert.ok((await view.locator(".curl-line code").innerText()).includes(`/user_edits/stream?${query}`));
  assert.equal(await view.getByRole("link", { name: "JSON" }).getAttribute("href"), `./user_edits?${query}`);
  assert.equal(await field.evaluate((node) => node === document.activeElement), true, "who types goes on typing");
  const before = await cells(page, "user_edits", 2);
  await until("the row to change", () => cells(page, "user_edits", 2), (now) => now[0] !== before[0]);
  assert.equal((await subscribers(url)).user_edits, 1, "the stream of all rows has ended");

  // The address alone is enough, and the browser's way back works.
  const other = await newPage(browser);
  await other.page.goto(`${url}/#/user_edits?${query}`);
  await until("its only row", () => cells(other.page, "user_edits", 1), (names) => names.length === 1 && names[0] === user);
  assert.equal(await panel(other.page, "user_edits").getByRole("textbox", { name: "user" }).inputValue(), user);
  assert.deepEqual(other.faults, []);
  await other.close();
  await page.goBack();
  await until("all rows again", () => count(page, "user_edits"), (text) => Number.parseInt(text.replaceAll(",", ""), 10) > 1);
  assert.equal(await field.inputValue(), "");
  await page.goForward();
  await until("its only row", () => cells(page, "user_edits", 1), (names) => names.length === 1);
  await view.getByRole("button", { name: "All rows" }).click();
  await until("all rows again", () => count(page, "user_edits"), (text) => Number.parseInt(text.replaceAll(",", ""), 10) > 1);
  assert.equal(new URL(page.url()).hash, "#/user_edits");
  assert.deepEqual(faults, []);
  await close();
});

test("filter_box_takes_conditions_and_shows_an_empty_window", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#/hot_pages?wiki=in.(en,de)`);
  const view = panel(page, "hot_pages");
  const field = view.getByRole("textbox", { name: "wiki" });
  await until("the field to say so", () => field.inputValue(), (text) => text === "in.(en,de)");
  await until("rows", () => cells(page, "hot_pages", 2), (wikis) => wikis.length > 0);
  assert.deepEqual((await cells(page, "hot_pages", 2)).filter((wiki) => wiki !== "en" && wiki !== "de"), []);
  await field.fill('no "such", wiki');
  await view.getByRole("button", { name: "Ask the gateway" }).click();
  await until("no rows", () => count(page, "hot_pages"), (text) => text === "0 rows");
  await untilLive(page, "hot_pages");
  assert.deepEqual(faults, []);
  await close();
});

test("filter_that_the_gateway_refuses_is_told_in_its_words", async () => {
  const { page, faults, close } = await newPage(browser);
  await page.goto(`${url}/#/user_edits?nosuch=eq.1`);
  const view = panel(page, "user_edits");
  const said = view.getByRole("status");
  await until("the words", () => said.innerText(), (text) => text.includes("user"));
  const words = await (await fetch(`${url}/user_edits?nosuch=eq.1`)).json();
  assert.equal(await said.innerText(), `The gateway does not take this filter: ${words.error}. ${words.hint}`);
  assert.match(await view.locator(".status").first().innerText(), /refused/);
  assert.equal(await view.getByRole("textbox", { name: "user" }).getAttribute("aria-invalid"), "true");
  assert.equal((await subscribers(url)).user_edits, 0, "no stream is tried in vain");
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target).join("; ")}`), []);
  await view.getByRole("button", { name: "All rows" }).click();
  await untilLive(page, "user_edits");
  assert.equal(await said.innerText(), "");
  // Chromium itself writes refusals to the console.
  assert.deepEqual(faults.filter((fault) => !fault.includes("400")), []);
  await close();
});

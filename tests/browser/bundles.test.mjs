// VIEWCAST_URL=http://127.0.0.1:8080 node --test bundles.test.mjs
// The npm package as its users have it: in a bundle by Vite, with React, Vue and TanStack DB, in a real Chromium, in
// front of a running `viewcast demo`.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject } from "./bundle.mjs";
import { gatewayUrl, launch, newPage, newTab, subscribers, until } from "./chromium.mjs";
import { startSite } from "./site.mjs";

const APPS = ["shared", "react", "vue", "tanstack-db"];
const gateway = gatewayUrl();
let browser;
let project;
let site;
before(async () => {
  project = makeProject();
  const folders = {};
  for (const app of APPS) folders[`/${app}/`] = await project.build(app);
  browser = await launch();
  site = await startSite(gateway, { folders });
});
after(async () => {
  await browser?.close();
  await site?.close();
  project?.remove();
});

async function open(t, path, origin = site.url) {
  const opened = await newPage(browser);
  t.after(opened.close);
  await opened.page.goto(`${origin}${path}`);
  return opened;
}

/** How many streams the gateway counts for a view. */
const untilSubscribers = (view, wanted) => until(`${wanted} subscribers of ${view}`, async () => (await subscribers(gateway))[view], (count) => count === wanted);

const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort().join("\n");

test("three_tabs_of_a_bundle_share_their_streams", async (t) => {
  const { page, context, faults } = await open(t, "/shared/");
  const tabs = [{ page, faults }, await newTab(context), await newTab(context)];
  for (const tab of tabs.slice(1)) await tab.page.goto(`${site.url}/shared/`);
  for (const tab of tabs) await until("both streams to be live", () => tab.page.evaluate(() => `${window.view.status} ${window.both.status}`), (text) => text === "live live");
  const counts = await subscribers(gateway);
  assert.deepEqual([counts.page_edits, counts.counter, counts.edits_by_language], [1, 1, 1]);
  // Each holds what the gateway does, and both views are of one time.
  for (const tab of tabs) {
    await until("the tab to agree with the gateway", () => tab.page.evaluate(async () => {
      const response = await fetch("/page_edits");
      const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort().join();
      const rows = sorted(await response.json());
      return response.headers.get("etag").includes(window.view.position) && (rows === sorted(window.view.rows()) ? "right" : "wrong");
    }), (result) => assert.notEqual(result, "wrong") ?? result === "right");
    const sums = await tab.page.evaluate(() => new Promise((resolve) => {
      const seen = [];
      window.both.addEventListener("consistent", () => {
        const [{ edits }] = window.both.view("counter").rows();
        seen.push(edits - window.both.view("edits_by_language").rows().reduce((sum, row) => sum + row.edits, 0));
        if (seen.length === 5) resolve(seen);
      });
    }));
    assert.deepEqual(sums, [0, 0, 0, 0, 0]);
    assert.deepEqual(tab.faults, []);
  }
  await Promise.all(tabs.map((tab) => tab.page.close()));
  await untilSubscribers("page_edits", 0);
  await untilSubscribers("counter", 0);
});

/** Texts of elements, all of one moment: a locator finds them first, and reads them once they may have moved. */
const texts = (page, selector) => page.evaluate((selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent), selector);

/** Where the React app is: its rows are of one Wikipedia, and its sums agree. */
async function assertReact(page, wiki) {
  await until(`rows of ${wiki}`, async () => [...new Set(await texts(page, "tbody td:nth-child(2)"))].join(), (wikis) => wikis === wiki);
  assert.equal(await page.locator("#status").innerText(), "live");
  assert.ok((await page.locator("tbody tr").count()) <= 20);
  const edits = (await texts(page, "tbody td:nth-child(3)")).map(Number);
  assert.deepEqual(edits, [...edits].sort((a, b) => b - a));
  await until("the sum", () => page.locator("#sum").innerText(), (text) => text === "0");
}

test("react_hooks_follow_what_is_mounted", async (t) => {
  const { page, faults } = await open(t, "/react/");
  await assertReact(page, "en");
  await untilSubscribers("page_edits", 1);
  // In and out, more often than there are connections.
  for (let n = 0; n < 20; n += 1) await page.locator("#toggle").click();
  await assertReact(page, "en");
  await page.locator("#other").click();
  await assertReact(page, "de");
  await untilSubscribers("page_edits", 1);
  await page.locator("#toggle").click();
  await untilSubscribers("page_edits", 0);
  await untilSubscribers("counter", 0);
  assert.deepEqual(faults, []);
});

test("react_strict_mode_and_hot_reloads_leave_one_stream", async (t) => {
  const { createServer } = await import("vite");
  const { default: react } = await import("@vitejs/plugin-react");
  const proxy = Object.fromEntries(["/page_edits", "/stream"].map((path) => [path, { target: gateway }]));
  const server = await createServer({ root: join(project.root, "react"), configFile: false, logLevel: "silent", plugins: [react()], server: { host: "127.0.0.1", port: 0, proxy } });
  await server.listen();
  t.after(() => server.close());
  const { page, faults } = await open(t, "/", `http://127.0.0.1:${server.httpServer.address().port}`);
  await assertReact(page, "en");
  await untilSubscribers("page_edits", 1);
  const file = join(project.root, "react/App.jsx");
  const text = readFileSync(file, "utf8");
  await page.evaluate(() => (window.isSamePage = true));
  for (const label of ["first", "second", "third"]) {
    writeFileSync(file, text.replace('LABEL = "pages"', `LABEL = "${label}"`));
    await until(`the label ${label}`, () => page.locator("h1").innerText(), (seen) => seen === label);
  }
  assert.ok(await page.evaluate(() => window.isSamePage), "it was a hot reload");
  await assertReact(page, "en");
  await untilSubscribers("page_edits", 1);
  await untilSubscribers("counter", 1);
  await page.locator("#toggle").click();
  await untilSubscribers("page_edits", 0);
  assert.deepEqual(faults, []);
});

test("react_on_a_server_opens_nothing", async () => {
  const { createServer } = await import("vite");
  const server = await createServer({ root: join(project.root, "react"), configFile: false, logLevel: "silent", server: { middlewareMode: true }, appType: "custom", ssr: { noExternal: ["viewcast"] } });
  try {
    const { App } = await server.ssrLoadModule("/App.jsx");
    const { renderToString } = await import("react-dom/server");
    const { createElement } = await import("react");
    assert.match(renderToString(createElement(App)), /<p id="status">idle<\/p>/);
  } finally {
    await server.close();
  }
});

test("vue_composable_follows_what_is_mounted", async (t) => {
  const { page, faults } = await open(t, "/vue/");
  const lines = () => texts(page, "li");
  const first = await until("ten lines", lines, (list) => list.length === 10);
  await until("a change", lines, (list) => list.join() !== first.join());
  await untilSubscribers("top10", 1);
  await page.locator("#toggle").click();
  await untilSubscribers("top10", 0);
  assert.deepEqual(faults, []);
});

test("tanstack_collections_follow_views_and_windows_of_them", async (t) => {
  const { page, faults } = await open(t, "/tanstack-db/");
  // A whole view, through changes and a second base.
  await page.evaluate(() => { window.following = window.follow(window.best); });
  const agrees = (collection, path) => until(`${collection} to be ${path}`, async () => {
    const [held, rows] = await page.evaluate(async ([collection, path]) => {
      const rows = await (await fetch(path)).json();
      // What queries add to a row is not the view's.
      return [window[collection].toArray.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("$")))), rows];
    }, [collection, path]);
    return held.length > 0 && sorted(held) === sorted(rows);
  });
  await agrees("best", "/top10");
  site.cut();
  await agrees("best", "/top10");
  await page.evaluate(() => window.following.unsubscribe());

  // What two queries ask for, and nothing else.
  const passed = site.passed.length;
  await untilSubscribers("page_edits", 0);
  await page.evaluate(async () => {
    window.en = window.wiki("en");
    window.two = window.some(["de", "en"]);
    window.readers = [window.en, window.two].map(window.follow);
    await Promise.all([window.en.preload(), window.two.preload()]);
  });
  await untilSubscribers("page_edits", 2);
  const asked = site.passed.slice(passed).filter((path) => path.startsWith("/page_edits/stream")).map((path) => decodeURIComponent(path.split("?")[1]).replace(/&?last-event-id.*/, ""));
  assert.deepEqual([...new Set(asked)].sort(), ["wiki=eq.en", "wiki=in.(de,en)"]);
  await agrees("two", "/page_edits?wiki=in.(de,en)");
  await until("pages of more than one edit", () => page.evaluate(async () => {
    const rows = (await (await fetch("/page_edits?wiki=eq.en")).json()).filter(({ edits }) => edits > 1);
    return rows.length > 0 && rows.length === window.en.size && window.en.toArray.every(({ wiki, edits }) => wiki === "en" && edits > 1);
  }));
  // One goes: the other one keeps the rows that both had.
  await page.evaluate(() => { window.readers[0].unsubscribe(); return window.en.cleanup(); });
  await untilSubscribers("page_edits", 1);
  await agrees("two", "/page_edits?wiki=in.(de,en)");
  await page.evaluate(() => { window.readers[1].unsubscribe(); return window.two.cleanup(); });
  await untilSubscribers("page_edits", 0);
  await until("no rows", () => page.evaluate(() => window.pages.size), (size) => size === 0);
  // The console knows that the connection was cut.
  assert.deepEqual(faults.filter((text) => !/ERR_INCOMPLETE_CHUNKED/.test(text)), []);

  // What cannot be had is an error of the collection's, with the reason.
  const error = await page.evaluate(() => window.missing.preload().then(() => "loaded", ({ message, status }) => `${status} ${message}`));
  assert.match(error, /^404 /);
});

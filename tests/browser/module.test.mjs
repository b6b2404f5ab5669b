// VIEWCAST_URL=http://127.0.0.1:8080 node --test module.test.mjs
// What the client module does that only a browser can show, in front of a running `viewcast demo`: says why there is no
// stream, opens and lets go, warns of the seventh connection, goes on after a reload without a base.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayUrl, launch, newPage, newTab, subscribers, until } from "./chromium.mjs";
import { startSite } from "./site.mjs";

/** What is wrong is said within a second; a busy machine needs some more. */
const SAID_MS = 10_000;

const gateway = gatewayUrl();
let browser;
let site;
before(async () => {
  browser = await launch();
  site = await startSite(gateway, { pages: { "/page": "" } });
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** A page of the site's origin with the module at hand. */
async function open(t, context) {
  const opened = context === undefined ? await newPage(browser) : await newTab(context);
  t.after(() => opened.page.close());
  await load(opened.page);
  return opened;
}

async function load(page) {
  await page.goto(`${site.url}/page`);
  await page.evaluate(async () => Object.assign(window, await import("/assets/viewcast.js")));
}

const untilStatus = (page, status, what = "view") => page.waitForFunction(([status, what]) => window[what].status === status, [status, what], { timeout: SAID_MS });

/** Waits until view and gateway stand at one position, and compares their rows. */
async function assertRows(page, name, what = "view") {
  await until(`${name} to agree with the gateway`, () => page.evaluate(async ([name, what]) => {
    const response = await fetch(`/${name}`);
    const [position] = /[^"]+/.exec(response.headers.get("etag"));
    const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort().join();
    const rows = sorted(await response.json());
    const view = window[what];
    return view.position === position && (sorted(view.rows()) === rows ? "right" : "wrong");
  }, [name, what]), (result) => {
    assert.notEqual(result, "wrong");
    return result === "right";
  });
}

test("stream_that_cannot_be_had_says_why_within_a_second", async (t) => {
  const { page } = await open(t);
  // Nobody listens there any more.
  const closed = await startSite(gateway);
  await closed.close();
  const errors = await page.evaluate(async (dead) => {
    const failure = (url, options) => new Promise((resolve) => {
      const view = new ViewStream(url, options);
      view.addEventListener("status", ({ detail: { status, error } }) => status === "failed" && (view.close(), resolve(error)));
    });
    return Promise.all([
      failure("/nope/stream"),
      failure("/page"),
      failure("/top10/stream?limit=3"),
      failure(dead),
      failure("/top10/stream", { token: () => { throw new Error("logged out"); } }),
    ]);
  }, `${closed.url}/top10/stream`);
  assert.deepEqual(errors.map(({ status, permanent }) => [status, permanent]), [[404, true], [200, true], [400, true], [0, false], [0, false]]);
  assert.match(errors[0].hint, /\S/, JSON.stringify(errors[0]));
  assert.match(errors[1].message, /text\/html/);
  assert.match(errors[4].message, /logged out/);
});

test("stream_goes_on_by_itself_once_there_is_a_gateway", async (t) => {
  const port = Number(new URL(site.url).port);
  const { page } = await open(t);
  await page.evaluate(() => { window.view = new ViewStream("/counter/stream"); });
  await untilStatus(page, "live");
  await site.close();
  await untilStatus(page, "failed");
  assert.match(await page.evaluate(() => window.view.reason), /no answer/);
  assert.equal(await page.evaluate(() => window.view.size), 1, "the rows stay");
  site = await startSite(gateway, { pages: { "/page": "" }, port });
  await until("it to be live", () => page.evaluate(() => window.view.status), (status) => status === "live");
});

test("lazy_stream_has_a_connection_while_it_has_subscribers", async (t) => {
  const { page } = await open(t);
  const before = (await subscribers(gateway)).hot_pages;
  await page.evaluate(() => { window.view = new ViewStream("/hot_pages/stream", { connect: "lazy" }); });
  assert.equal((await subscribers(gateway)).hot_pages, before);
  await page.evaluate(async () => {
    window.leave = [1, 2].map(() => window.view.subscribe(() => {}));
    await window.view.ready;
  });
  assert.equal((await subscribers(gateway)).hot_pages, before + 1);
  await page.evaluate(() => window.leave.forEach((leave) => leave()));
  await until("the connection to end", () => subscribers(gateway), ({ hot_pages: count }) => count === before);
  assert.equal(await page.evaluate(() => window.view.status), "idle");
});

test("seventh_stream_over_http_1_is_warned_of_once", async (t) => {
  const { page, faults } = await open(t);
  await page.evaluate(() => { window.views = Array.from({ length: 6 }, () => new ViewStream("/counter/stream")); });
  assert.deepEqual(faults, []);
  await page.evaluate(() => { window.views.push(new ViewStream("/top10/stream"), new ViewStream("/top10/stream")); });
  await until("the warning", () => faults.length);
  assert.equal(faults.length, 1);
  assert.match(faults[0], /over HTTP\/1\.1 a browser opens 6 connections to http:\/\/127\.0\.0\.1:\d+, .*\/stream\?view=a&view=b.*shared.*HTTP\/2/);
  // Those that are closed do not count.
  await page.evaluate(() => window.views.forEach((view) => view.close()));
  await load(page);
  await page.evaluate(() => {
    for (let n = 0; n < 20; n += 1) new ViewStream("/counter/stream").close();
    return new ViewStream("/counter/stream").ready.then(() => {});
  });
  assert.equal(faults.length, 1);
});

test("rows_that_are_kept_have_bounds_and_no_room_is_no_harm", async (t) => {
  const { page, faults } = await open(t);
  /** Keys in the database, with what is put there first. */
  const keys = (records = []) => page.evaluate(async (records) => {
    const answer = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
    const database = await answer(indexedDB.open("viewcast"));
    const table = database.transaction("views", "readwrite").objectStore("views");
    for (const record of records) table.put(record);
    const found = await answer(table.getAllKeys());
    database.close();
    return found.map((key) => key.replace(location.origin, ""));
  }, records);
  const keep = (path) => page.evaluate(async (path) => {
    window.view = new ViewStream(path, { persist: "indexeddb" });
    await window.view.ready;
  }, path);
  await keep("/counter/stream");
  await until("the rows to be kept", keys, (found) => found.includes("/counter/stream"));
  // The second oldest is one too many, and the oldest is too old anyway.
  const record = (key, days, length) => ({ key, position: "1-a", rows: "[]", length, at: Date.now() - days * 24 * 3_600_000 });
  await keys([record("new", 1, 25_000_000), record("large", 2, 25_000_000), record("old", 8, 1)]);
  await keep("/top10/stream");
  await until("the others to go", keys, (found) => found.sort().join() === "/counter/stream,/top10/stream,new");
  assert.deepEqual(faults, []);

  await page.evaluate(() => {
    IDBObjectStore.prototype.put = () => { throw new DOMException("no room", "QuotaExceededError"); };
  });
  await keep("/page_edits/stream");
  await until("the warning", () => faults.length);
  assert.match(faults[0], /viewcast: the rows could not be kept: no room/);
  const { position } = await page.evaluate(() => ({ position: window.view.position }));
  await until("it to go on", () => page.evaluate(() => window.view.position), (next) => next !== position);
  assert.equal(faults.length, 1, "said once");
});

test("page_that_reloads_shows_its_rows_at_once_and_goes_on_without_a_base", async (t) => {
  const { page, context, faults } = await newPage(browser);
  t.after(() => context.close());
  const start = (options = {}) => page.evaluate((options) => {
    window.said = [];
    window.view = new ViewStream("/page_edits/stream", { persist: "indexeddb", ...options });
    view.addEventListener("wire", ({ detail }) => said.push(detail.type));
    view.addEventListener("status", ({ detail: { status, reason } }) => said.push(reason === "" ? status : reason));
    view.addEventListener("base", ({ detail }) => said.push(detail.size > 0 ? "rows" : "no rows"));
  }, options);
  for (const options of [{}, { shared: true }]) {
    await load(page);
    await start(options);
    await untilStatus(page, "live");
    const { size, position } = await page.evaluate(() => ({ size: window.view.size, position: window.view.position }));
    assert.ok(size > 1_000, `${size} rows`);
    await until("the rows to be kept", () => page.evaluate(async () => {
      const request = indexedDB.open("viewcast");
      await new Promise((resolve) => (request.onsuccess = resolve));
      const count = request.result.transaction("views").objectStore("views").count();
      await new Promise((resolve) => (count.onsuccess = resolve));
      request.result.close();
      return count.result;
    }), (count) => count === 1);
    const asked = site.passed.length;
    await load(page);
    await start(options);
    await page.waitForFunction(() => window.said.length > 0);
    await untilStatus(page, "live");
    const said = await page.evaluate(() => window.said);
    if (!options.shared) {
      assert.deepEqual(said.slice(0, 3), ["rows of before", "rows", "delta"], said.join());
      assert.ok(!said.includes("base"), said.join());
    }
    const [again] = site.passed.slice(asked).filter((path) => path.startsWith("/page_edits/stream"));
    const [, time] = /last-event-id=(\d+)/.exec(again) ?? [];
    assert.ok(BigInt(time) >= BigInt(/\d+/.exec(position)[0]), `asked to go on: ${again}`);
    await assertRows(page, "page_edits");
  }
  // Another tab, another filter: nothing of this one's rows.
  const other = await open(t, context);
  const seen = await other.page.evaluate(async () => {
    const said = [];
    window.view = new ViewStream("/user_edits/stream", { persist: "indexeddb", filter: { user: "Cheers!-bot" } });
    window.view.addEventListener("status", ({ detail: { status } }) => said.push(status));
    await window.view.ready;
    return said;
  });
  assert.deepEqual(seen, ["live"]);
  // Who logs out.
  await page.goto("about:blank");
  await load(page);
  await page.evaluate(async () => {
    const { forget } = await import("/assets/viewcast.persist.js");
    await forget();
  });
  await start();
  await untilStatus(page, "live");
  assert.deepEqual((await page.evaluate(() => window.said)).slice(0, 2), ["base", "live"]);
  assert.deepEqual(faults, []);
});

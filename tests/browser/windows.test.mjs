// VIEWCAST_URL=http://127.0.0.1:8080 node --test windows.test.mjs
// Windows of the demo's views (docs/PROTOCOL.md, W1 and on), followed by Chromium's EventSource, npm's
// `eventsource` and ViewStream in both, to the state that `GET` of the same window gives; and that to the
// rows of the whole view that meet the conditions.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventSource } from "eventsource";
import { gatewayUrl, launch, newPage, subscribers, until } from "./chromium.mjs";
import { digestOf, follow } from "./readers.mjs";
import { ViewStream } from "../../web/viewcast.js";

/** Snapshots that every client of a window is compared with. */
const SNAPSHOTS = 4;
/** One of them edits in every part of the recording. */
const BOTS = ["ClueBot NG", "ZkBot", "Cheers!-bot", "Krdbot", "TuanminhBot", "ThitxongkhoiAWB"];
const isBot = ({ user }) => BOTS.includes(user);
const isOneOf = (...wikis) => ({ wiki }) => wikis.includes(wiki);
/** A window as an address and as options of ViewStream, and what its rows are of the view's. */
const WINDOWS = [
  { view: "user_edits", query: "user=eq.ClueBot NG", options: { filter: { user: "ClueBot NG" } }, meets: ({ user }) => user === "ClueBot NG" },
  { view: "user_edits", query: "user=eq.Preferwiki", options: { filter: { user: "Preferwiki" } }, meets: () => false, isConstant: true },
  { view: "user_edits", query: `user=not.in.(${BOTS.map((name) => `"${name}"`)})`, options: { filter: { user: { not: BOTS } } }, meets: (row) => !isBot(row) },
  { view: "hot_pages", query: "wiki=in.(en,de)", options: { filter: { wiki: ["en", "de"] } }, meets: isOneOf("en", "de") },
  { view: "page_edits", query: "user=is.null&wiki=not.eq.en", options: { filter: { user: null, wiki: { not: "en" } } }, meets: ({ user, wiki }) => user === null && wiki !== "en" },
  // Without its user and page, rows of it are equal: copies.
  { view: "page_edits", query: "wiki=in.(fr,it)&select=edits,wiki", options: { filter: { wiki: ["fr", "it"] }, select: ["edits", "wiki"] }, meets: isOneOf("fr", "it"), shows: ({ wiki, edits }) => ({ wiki, edits }) },
];

const url = gatewayUrl();
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

const timestampOf = (id) => BigInt(id.split("-")[0]);

/** Rows of `GET`, and where they stand. */
async function snapshot(address) {
  const response = await fetch(`${url}${address}`);
  assert.equal(response.status, 200, address);
  const rows = await response.json();
  return { position: response.headers.get("etag").replaceAll('"', ""), rows };
}

/** The id with which a client held what it did at a timestamp, or null while it may yet hear of it. */
function idAt(seen, position) {
  const known = Object.keys(seen).map((id) => [timestampOf(id), id]).sort(([a], [b]) => (a < b ? -1 : 1));
  const at = timestampOf(position);
  if (known.length === 0 || known.at(-1)[0] < at) return null;
  return known.findLast(([timestamp]) => timestamp <= at)?.[1];
}

for (const { view, query, options, meets, shows = (row) => row, isConstant = false } of WINDOWS) {
  test(`clients_follow_${view}?${query}`, async (t) => {
    const { page, close } = await newPage(browser);
    t.after(close);
    // The page's own streams would take the six connections that a host gets.
    await page.route("**/assets/app.js", (route) => route.abort());
    await page.goto(url);
    const encoded = query.split("&").map((part) => part.replace(/=(.*)$/, (_, value) => `=${encodeURIComponent(value)}`)).join("&");
    const stream = `${url}/${view}/stream`;
    const { look, close: stop } = await follow(page, `${stream}?${encoded}`, stream, options);
    // Also where a comparison fails.
    t.after(stop);
    await until("all of them to have a base", look, (all) => all.every(({ at }) => Object.keys(at).length > 0));
    let last = 0n;
    for (let compared = 0; compared < SNAPSHOTS; compared += 1) {
      const { position, rows } = await until("a later snapshot", () => snapshot(`/${view}?${encoded}`), (now) => timestampOf(now.position) > last);
      last = timestampOf(position);
      const expected = digestOf(rows);
      const all = await until(`all of them to be at ${position}`, look, (now) => now.every(({ at, fault }) => fault || idAt(at, position) !== null));
      for (const { name, at, fault } of all) {
        assert.equal(fault, undefined, name);
        const id = idAt(at, position);
        assert.equal(at[id], expected, `${name} at ${position}`);
        assert.equal(id.split("-")[1], position.split("-")[1], "the incarnation is the window's, on streams and snapshots");
      }
      assert.ok(isConstant === (rows.length === 0), `${rows.length} rows`);
    }
    await stop();
    // The whole view at the same timestamp, by itself.
    const { rows, whole } = await until("both at one time", async () => {
      const [part, all] = await Promise.all([snapshot(`/${view}?${encoded}`), snapshot(`/${view}`)]);
      return timestampOf(part.position) === timestampOf(all.position) && { rows: part.rows, whole: all.rows };
    });
    const texts = (list) => list.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(texts(rows), texts(whole.filter(meets).map(shows)));
  });
}

test("windows_of_two_views_agree_at_every_common_time", async (t) => {
  const both = new ViewStream(`${url}/stream?view=user_edits&view=page_edits`, {
    EventSource,
    views: { user_edits: { filter: { user: BOTS } }, page_edits: { filter: { user: BOTS }, select: ["user", "edits"] } },
  });
  t.after(() => both.close());
  const [users, pages] = ["user_edits", "page_edits"].map((name) => both.view(name));
  const sums = [];
  const faults = [];
  for (const stream of [both, users, pages]) stream.addEventListener("error", ({ detail }) => faults.push(detail.message));
  both.addEventListener("consistent", () => {
    const [counted, edited] = [users.rows(), pages.rows()];
    if (![...counted, ...edited].every(isBot)) faults.push("somebody else's row");
    sums.push([counted.reduce((sum, { count }) => sum + count, 0), edited.reduce((sum, { edits }) => sum + edits, 0)]);
  });
  await until("ten changes", () => new Set(sums.map(([count]) => count)).size, (count) => count > 10);
  both.close();
  for (const [count, sum] of sums) assert.equal(sum, count);
  assert.deepEqual(faults, []);
});

/** A tab of the gateway's origin with one window and nothing else. */
async function openTab(context, filter) {
  const page = await context.newPage();
  await page.route(`${url}/tab`, (route) => route.fulfill({ contentType: "text/html", body: '<!doctype html><link rel="icon" href="data:,">' }));
  await page.goto(`${url}/tab`);
  await page.evaluate(async (filter) => {
    const { ViewStream } = await import("/assets/viewcast.js");
    window.view = new ViewStream("/page_edits/stream", { shared: true, filter });
    window.changes = 0;
    window.view.addEventListener("change", () => (window.changes += 1));
  }, filter);
  return page;
}

test("tabs_share_a_connection_for_equal_windows_alone", async () => {
  const context = await browser.newContext();
  const filters = [{ wiki: "fr" }, { wiki: "it" }, { wiki: "fr" }];
  const tabs = [];
  for (const filter of filters) tabs.push(await openTab(context, filter));
  for (const [n, tab] of tabs.entries()) {
    const wikis = await until(`tab ${n} to have rows`, () => tab.evaluate(() => (window.view.status === "live" ? [...new Set(window.view.rows().map(({ wiki }) => wiki))] : [])), (list) => list.length > 0);
    assert.deepEqual(wikis, [filters[n].wiki], `tab ${n}`);
  }
  assert.equal((await subscribers(url)).page_edits, 2);
  // After changes of both, too. Changes are counted, not rows: once the recording begins again, no page is new.
  for (const [n, tab] of tabs.entries()) {
    const before = await tab.evaluate(() => window.changes);
    await until(`tab ${n} to change`, () => tab.evaluate(() => window.changes), (now) => now > before);
    assert.deepEqual(await tab.evaluate(() => [...new Set(window.view.rows().map(({ wiki }) => wiki))]), [filters[n].wiki]);
  }
  await context.close();
  await until("the connections to end", async () => (await subscribers(url)).page_edits, (count) => count === 0);
});

// VIEWCAST_URL=http://127.0.0.1:8080 node --test clients.test.mjs
// One stream read by Chromium's EventSource, by npm's `eventsource` and by
// ViewStream in both: at every id that two of them saw, they hold the same rows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayUrl, launch, newPage, until } from "./chromium.mjs";
import { follow } from "./readers.mjs";

/** Ids that all clients must have in common before they are compared. */
const COMMON_IDS = 3;
const VIEWS = ["counter", "top10", "edits_by_language", "edits_per_minute", "hot_pages", "user_edits", "page_edits"];

const url = gatewayUrl();
/** Chromium is given the dictionaries before it opens streams; Node knows nothing of them. */
const hasDictionary = process.env.VIEWCAST_DICTIONARY !== undefined;
/** How streams are to come, to Node and to Chromium. */
const EXPECTED = process.env.VIEWCAST_ENCODING ?? null;
const EXPECTED_IN_CHROMIUM = hasDictionary ? "dcz" : EXPECTED;
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** How a stream comes; it stands alone, to be sent to Chromium as text. */
async function encoding(address) {
  const stopper = new AbortController();
  const response = await fetch(address, { signal: stopper.signal });
  stopper.abort();
  return response.headers.get("content-encoding");
}

/** Has the page name a dictionary; it stands alone, too. */
function byLink(href) {
  document.head.append(Object.assign(document.createElement("link"), { rel: "compression-dictionary", href }));
}

/** A page without the streams of its own, which would take the six connections that a host gets. */
async function openPage() {
  const { page, close } = await newPage(browser);
  await page.route("**/assets/app.js", (route) => route.abort());
  await page.goto(url);
  for (const view of hasDictionary ? VIEWS : []) {
    const path = `/${view}/dictionary`;
    await until(`rows of ${view}`, async () => (await fetch(url + path)).status, (status) => status === 200);
    // Either way that docs/FRONTEND.md shows.
    if (view === VIEWS[0]) await page.evaluate(byLink, path);
    else await page.evaluate(async (path) => (await fetch(path)).status, path);
    // Chromium keeps it; when it has done so, it does not say.
    const inChromium = () => page.evaluate(`(${encoding})("/${view}/stream")`);
    await until(`streams of ${view} as expected`, inChromium, (found) => found === EXPECTED_IN_CHROMIUM);
  }
  return { page, close };
}

test("clients_are_sent_what_is_to_be_tested", async () => {
  const { page, close } = await openPage();
  assert.equal(await encoding(`${url}/counter/stream`), EXPECTED);
  assert.equal(await page.evaluate(`(${encoding})("/counter/stream")`), EXPECTED_IN_CHROMIUM);
  await close();
});

test("clients_agree_at_every_common_id", async (t) => {
  const { page, close } = await openPage();
  t.after(close);
  const encodings = new Set();
  page.on("response", (response) => response.url().endsWith("/stream") && encodings.add(response.headers()["content-encoding"] ?? null));
  for (const view of VIEWS) {
    const { look, close: stop } = await follow(page, `${url}/${view}/stream`);
    t.after(stop);
    const clients = await until(`common ids of ${view}`, look, (all) => commonIds(all).length >= COMMON_IDS || all.some(({ fault }) => fault));
    for (const { name, fault } of clients) assert.equal(fault, undefined, `${name} of ${view}`);
    const [first, ...others] = clients;
    for (const id of commonIds(clients)) {
      for (const { name, at } of others) assert.equal(at[id], first.at[id], `${name} of ${view} at ${id}`);
    }
    await stop();
  }
  assert.deepEqual([...encodings], [EXPECTED_IN_CHROMIUM]);
});

const commonIds = ([first, ...others]) => Object.keys(first.at).filter((id) => others.every(({ at }) => id in at));

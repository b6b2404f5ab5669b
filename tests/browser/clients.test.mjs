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
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test("clients_are_sent_what_is_to_be_tested", async () => {
  const expected = process.env.VIEWCAST_ENCODING ?? null;
  const { page, close } = await newPage(browser);
  await page.route("**/assets/app.js", (route) => route.abort());
  await page.goto(url);
  const encoding = async (address) => {
    const stopper = new AbortController();
    const response = await fetch(address, { signal: stopper.signal });
    stopper.abort();
    return response.headers.get("content-encoding");
  };
  assert.equal(await encoding(`${url}/counter/stream`), expected);
  assert.equal(await page.evaluate(`(${encoding})("/counter/stream")`), expected);
  await close();
});

test("clients_agree_at_every_common_id", async (t) => {
  const { page, close } = await newPage(browser);
  t.after(close);
  // The page's own streams would take the six connections that a host gets.
  await page.route("**/assets/app.js", (route) => route.abort());
  await page.goto(url);
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
});

const commonIds = ([first, ...others]) => Object.keys(first.at).filter((id) => others.every(({ at }) => id in at));

// VIEWCAST_URLS=http://...,http://... node --test limits.test.mjs, each the
// address of a gateway that serves one stream, by a limit of its own: Chromium's
// EventSource is over it, and comes back by itself once there is a place [P12].
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage } from "./chromium.mjs";

/** The gateway says 10 to 30 s; a busy machine needs some more. */
const PATIENCE_MS = 90_000;

const urls = (process.env.VIEWCAST_URLS ?? "").split(",").filter(Boolean);
if (urls.length === 0) throw new Error("VIEWCAST_URLS is not set: start gateways that serve one stream each, and give their addresses");
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

// At once, since each waits for its browser to come back.
test("eventsource_over_a_limit_comes_back_by_itself", () => Promise.all(urls.map(comesBack)));

async function comesBack(url) {
  const address = `${url}/counter/stream`;
  const abort = new AbortController();
  const first = await fetch(address, { signal: abort.signal });
  assert.equal(first.status, 200);
  await first.body.getReader().read();

  const { page, close } = await newPage(browser);
  // The page's own streams would only be in the way.
  await page.route("**/assets/*.js", (route) => route.abort());
  await page.goto(url);
  await page.evaluate((address) => {
    window.seen = [];
    const source = new EventSource(address);
    source.addEventListener("error", () => window.seen.push({ error: source.readyState }));
    source.addEventListener("base", (event) => window.seen.push({ base: event.lastEventId }));
    source.addEventListener("delta", (event) => window.seen.push({ delta: event.lastEventId }));
  }, address);
  const saw = (name) => page.waitForFunction((name) => window.seen.some((one) => name in one), name, { timeout: PATIENCE_MS });

  await saw("error");
  const [refusal, ...others] = await page.evaluate("window.seen");
  assert.deepEqual(refusal, { error: 0 }, "CONNECTING, not CLOSED: it has not given up");
  assert.deepEqual(others, []);

  abort.abort();
  await saw("base");
  await saw("delta");
  await close();
}

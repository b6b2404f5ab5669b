// VIEWCAST_URL=... node --test limits.test.mjs, with a gateway that serves one
// stream of `counter`: Chromium's EventSource is over the limit, and comes back
// by itself once there is a place [P12].
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gatewayUrl, launch, newPage } from "./chromium.mjs";

/** The gateway says 10 to 30 s; a busy machine needs some more. */
const PATIENCE_MS = 90_000;

const url = gatewayUrl();
const address = `${url}/counter/stream`;
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test("eventsource_over_a_limit_comes_back_by_itself", async () => {
  const abort = new AbortController();
  const first = await fetch(address, { signal: abort.signal });
  assert.equal(first.status, 200);
  await first.body.getReader().read();

  const { page, close } = await newPage(browser);
  // The page's own streams would only be in the way.
  await page.route("**/assets/app.js", (route) => route.abort());
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
});

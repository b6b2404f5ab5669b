// Over HTTP/1.1 a browser opens six connections to a host, and a seventh stream waits for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayUrl, launch, until } from "./chromium.mjs";

const STREAMS = 20;

test("a page holds twenty streams at once over HTTP/2", async () => {
  const browser = await launch();
  try {
    // The certificate is of nobody's authority.
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${gatewayUrl()}/healthz`);
    const protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
    assert.equal(protocol, "h2");
    await page.evaluate((count) => {
      window.seen = Array.from({ length: count }, () => ({ bases: 0, deltas: 0, errors: 0 }));
      window.seen.forEach((seen, at) => {
        const source = new EventSource(`/${["top10", "counter", "user_edits", "hot_pages"][at % 4]}/stream`);
        source.addEventListener("base", () => seen.bases++);
        source.addEventListener("delta", () => seen.deltas++);
        source.addEventListener("error", () => seen.errors++);
      });
    }, STREAMS);
    const seen = await until(
      "every stream to have a base and deltas",
      () => page.evaluate(() => window.seen),
      (seen) => seen.every(({ bases, deltas }) => bases > 0 && deltas > 2),
    );
    assert.equal(seen.length, STREAMS);
    for (const { bases, errors } of seen) assert.deepEqual({ bases, errors }, { bases: 1, errors: 0 });
  } finally {
    await browser.close();
  }
});

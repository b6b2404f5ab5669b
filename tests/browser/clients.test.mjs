// VIEWCAST_URL=http://127.0.0.1:8080 node --test clients.test.mjs
// One stream read by Chromium's EventSource, by npm's `eventsource` and by
// ViewStream in both: at every id that two of them saw, they hold the same rows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventSource } from "eventsource";
import { gatewayUrl, launch, newPage, until } from "./chromium.mjs";
import { ViewStream } from "../../web/viewcast.js";

/** Ids that all clients must have in common before they are compared. */
const COMMON_IDS = 3;
const VIEWS = ["counter", "top10", "edits_by_language", "edits_per_minute", "hot_pages", "user_edits", "page_edits"];

const url = gatewayUrl();
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/**
 * Base plus deltas the plain way, as any front-end developer would write it.
 * It runs in Node and, sent there as text, in Chromium, so it stands alone:
 * fills `seen` with id -> the sorted rows.
 */
function readPlainly(Source, address, seen) {
  const source = new Source(address);
  let rows = null;
  const keep = (event) => (seen[event.lastEventId] = [...rows].sort());
  source.addEventListener("base", (event) => {
    rows = JSON.parse(event.data).map((row) => JSON.stringify(row));
    keep(event);
  });
  source.addEventListener("delta", (event) => {
    if (rows === null) return;
    const gone = new Map();
    const come = [];
    for (const change of JSON.parse(event.data)) {
      const text = JSON.stringify(change.insert ?? change.delete);
      if (change.insert) come.push(text);
      else gone.set(text, (gone.get(text) ?? 0) + 1);
    }
    rows = rows.filter((text) => {
      const left = gone.get(text) ?? 0;
      if (left > 0) gone.set(text, left - 1);
      return left === 0;
    });
    if ([...gone.values()].some((left) => left > 0)) seen.fault = `${event.lastEventId} deletes a row that is not there`;
    rows.push(...come);
    keep(event);
  });
  return source;
}

/** The same with the client module. */
function readByModule(Stream, address, options, seen) {
  const stream = new Stream(address, options);
  const keep = () => (seen[stream.position] = stream.rows().map((row) => JSON.stringify(row)).sort());
  for (const type of ["base", "change", "heartbeat"]) stream.addEventListener(type, keep);
  stream.addEventListener("error", ({ detail }) => (seen.fault = detail.message));
  return stream;
}

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

test("clients_agree_at_every_common_id", async () => {
  const { page, close } = await newPage(browser);
  // The page's own streams would take the six connections that a host gets.
  await page.route("**/assets/app.js", (route) => route.abort());
  await page.goto(url);
  for (const view of VIEWS) {
    const address = `${url}/${view}/stream`;
    const seen = { plain: {}, module: {} };
    const sources = [readPlainly(EventSource, address, seen.plain), readByModule(ViewStream, address, { EventSource }, seen.module)];
    await page.evaluate("window.seen = { plain: {}, module: {} }; window.sources = []; null");
    await page.evaluate(`window.sources.push((${readPlainly})(EventSource, ${JSON.stringify(address)}, window.seen.plain))`);
    await page.evaluate(
      `import("/assets/viewcast.js").then(({ ViewStream }) => window.sources.push((${readByModule})(ViewStream, ${JSON.stringify(address)}, {}, window.seen.module))) && null`,
    );
    const clients = await until(
      `common ids of ${view}`,
      async () => {
        const inChromium = await page.evaluate("window.seen");
        return { eventsource: seen.plain, "ViewStream in Node": seen.module, Chromium: inChromium.plain, "ViewStream in Chromium": inChromium.module };
      },
      (all) => commonIds(all).length >= COMMON_IDS || Object.values(all).some(({ fault }) => fault),
    );
    for (const [name, { fault }] of Object.entries(clients)) assert.equal(fault, undefined, `${name} of ${view}`);
    for (const id of commonIds(clients)) {
      const [[, first], ...others] = Object.entries(clients);
      for (const [name, rows] of others) assert.deepEqual(rows[id], first[id], `${name} of ${view} at ${id}`);
    }
    for (const source of sources) source.close();
    await page.evaluate("window.sources.forEach((source) => source.close())");
  }
  await close();
});

const commonIds = (clients) => {
  const [first, ...others] = Object.values(clients);
  return Object.keys(first).filter((id) => id !== "fault" && others.every((seen) => id in seen));
};

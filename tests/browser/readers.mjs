// A stream read by npm's `eventsource`, by Chromium's EventSource and by ViewStream in both, which keep a digest of the
// rows they held at every id: the rows themselves, of views of tens of thousands of them and ten times a second, are
// more than a browser on a slow machine has room and time for.
import { EventSource } from "eventsource";
import { ViewStream } from "../../web/viewcast.js";

/**
 * Adds rows up, whatever their order: `add(row, copies)`, and `text()` that differs where the rows do. Two sums of 32
 * bits (FNV-1a, and the same from another start). It stands alone, to be sent to Chromium as text.
 */
function Digest() {
  const known = new WeakMap();
  let [first, second, count] = [0, 0, 0];
  const hash = (text, start) => {
    let sum = start;
    for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
    return sum;
  };
  return {
    add(row, copies) {
      // Whoever keeps its row objects has each of them looked at once.
      if (!known.has(row)) {
        const text = JSON.stringify(row);
        known.set(row, [hash(text, 0x811c9dc5), hash(text, 0x2545f491)]);
      }
      const [a, b] = known.get(row);
      first = (first + Math.imul(a, copies)) >>> 0;
      second = (second + Math.imul(b, copies)) >>> 0;
      count += copies;
    },
    clear: () => ([first, second, count] = [0, 0, 0]),
    text: () => `${count} rows ${first.toString(16)} ${second.toString(16)}`,
  };
}

/** The digest of these rows. */
export function digestOf(rows) {
  const digest = Digest();
  for (const row of rows) digest.add(row, 1);
  return digest.text();
}

/**
 * Base plus deltas the plain way, as any front-end developer would write it.
 * It stands alone, too: fills `seen.at` with id -> digest, and `seen.fault` with what went wrong last.
 */
function readPlainly(Source, address, seen, digest) {
  const source = new Source(address);
  const rows = new Map();
  const add = (row, n) => {
    const text = JSON.stringify(row);
    const count = (rows.get(text) ?? 0) + n;
    if (count < 0) seen.fault = `a row that is not there is deleted: ${text}`;
    if (count === 0) rows.delete(text);
    else rows.set(text, count);
    digest.add(row, n);
  };
  const keep = ({ lastEventId }) => (seen.at[lastEventId] = digest.text());
  source.addEventListener("base", (event) => {
    if (rows.size > 0) seen.fault = "a second base";
    for (const row of JSON.parse(event.data)) add(row, 1);
    keep(event);
  });
  source.addEventListener("delta", (event) => {
    for (const change of JSON.parse(event.data)) change.insert ? add(change.insert, 1) : add(change.delete, -1);
    keep(event);
  });
  return source;
}

/** The same with the client module, whose rows are gone through at each id. */
function readByModule(Stream, address, options, seen, digest) {
  const stream = new Stream(address, options);
  const keep = () => {
    digest.clear();
    for (const row of stream.rows()) digest.add(row, 1);
    seen.at[stream.position] = digest.text();
  };
  for (const type of ["base", "change", "heartbeat"]) stream.addEventListener(type, keep);
  stream.addEventListener("error", ({ detail }) => (seen.fault = detail.message));
  return stream;
}

const NAMES = ["eventsource", "ViewStream in Node", "Chromium's EventSource", "ViewStream in Chromium"];

/**
 * Starts all four, two of them in a page of the gateway's origin: those that are plain at an address, the module at the
 * same or at another that stands for the same with these options.
 * @returns {{ look: () => Promise<{ name: string, at: Record<string, string>, fault?: string }[]>, close: () => Promise<void> }}
 *   `look` gives what each has seen: id -> digest.
 */
export async function follow(page, address, module = address, options = {}) {
  const here = { plain: { at: {} }, module: { at: {} } };
  const sources = [readPlainly(EventSource, address, here.plain, Digest()), readByModule(ViewStream, module, { EventSource, ...options }, here.module, Digest())];
  await page.evaluate(`window.Digest = ${Digest}; window.seen = { plain: { at: {} }, module: { at: {} } }; window.sources = []; null`);
  const [where, other, how] = [address, module, options].map((value) => JSON.stringify(value));
  await page.evaluate(`window.sources.push((${readPlainly})(EventSource, ${where}, window.seen.plain, Digest())) && null`);
  await page.evaluate(`import("/assets/viewcast.js").then(({ ViewStream }) => window.sources.push((${readByModule})(ViewStream, ${other}, ${how}, window.seen.module, Digest()))) && null`);
  return {
    look: async () => {
      const there = await page.evaluate("window.seen");
      return [here.plain, here.module, there.plain, there.module].map((seen, n) => ({ name: NAMES[n], ...seen }));
    },
    // What is left open in Node keeps the process alive, so that comes first.
    close: async () => {
      for (const source of sources) source.close();
      if (!page.isClosed()) await page.evaluate("window.sources.forEach((source) => source.close())");
    },
  };
}

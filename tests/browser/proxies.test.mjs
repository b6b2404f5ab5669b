// GATEWAY_BIN=... GATEWAY_ADDRESS=127.0.0.1:... PROXY_URLS=http://...,http://...
// node --test proxies.test.mjs: a bare EventSource of npm's `eventsource`, through
// each of the proxies in front of that address, goes on after the gateway there
// was away and is back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EventSource } from "eventsource";

const { GATEWAY_BIN, GATEWAY_ADDRESS, PROXY_URLS } = process.env;
if (!GATEWAY_BIN || !GATEWAY_ADDRESS || !PROXY_URLS) throw new Error("GATEWAY_BIN, GATEWAY_ADDRESS and PROXY_URLS are to be set");

/** The proxies tell it to come back in 5 s; a busy machine needs some more. */
const PATIENCE_MS = 120_000;

let gateway;
const sources = new Set();
after(() => {
  for (const source of sources) source.close();
  gateway?.kill("SIGKILL");
});

function start() {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VIEWCAST_")));
  gateway = spawn(GATEWAY_BIN, ["demo", "--tick", "100ms", "--rate", "100", "--listen", GATEWAY_ADDRESS, "--drain", "0s"], { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** A stream through a proxy: what happened, and a wait for more of it. */
function open(url) {
  const source = new EventSource(url);
  sources.add(source);
  const seen = { base: 0, consistent: 0, error: 0 };
  const waiting = [];
  for (const name of Object.keys(seen)) {
    source.addEventListener(name, () => {
      seen[name] += 1;
      for (const look of waiting) look();
    });
  }
  /** Waits until so many of these have come. */
  const until = (name, count) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${url}: no ${name} ${count} in ${JSON.stringify(seen)}, readyState ${source.readyState}`)), PATIENCE_MS);
      const look = () => {
        if (seen[name] >= count) {
          clearTimeout(timer);
          resolve();
        }
      };
      waiting.push(look);
      look();
    });
  return { url, source, seen, until };
}

/** Waits until the proxy hands a stream on: before, it may not have found the gateway yet. */
async function ready(url) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const abort = new AbortController();
    const answer = await fetch(url, { signal: abort.signal }).catch(() => null);
    const text = answer === null ? "" : new TextDecoder().decode((await answer.body?.getReader().read().catch(() => ({})))?.value);
    abort.abort();
    if (text.includes("event:")) return;
    assert.ok(Date.now() < end, `${url} has no stream`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("eventsource_goes_on_after_a_restart_of_the_gateway", async () => {
  start();
  // A view by its name in the path, encoded, and several on one connection.
  const paths = ["/counter/stream", "/%63ounter/stream", "/stream?view=counter&view=top10"];
  const urls = PROXY_URLS.split(",").flatMap((proxy) => paths.map((path) => proxy + path));
  await Promise.all(urls.map(ready));
  const streams = urls.map(open);
  // What a stream says once its rows are there.
  const loaded = ({ url }) => (url.includes("?") ? "consistent" : "base");
  await Promise.all(streams.map((stream) => stream.until(loaded(stream), 1)));

  gateway.kill("SIGTERM");
  await once(gateway, "exit");
  // Its stream ended, and it came back in vain: answered by the proxy alone.
  await Promise.all(streams.map(({ until }) => until("error", 2)));
  for (const { url, source } of streams) assert.notEqual(source.readyState, EventSource.CLOSED, `${url} gave up`);
  // What is no stream goes on to say how it is.
  for (const proxy of PROXY_URLS.split(",")) {
    const answer = await fetch(`${proxy}/views`);
    assert.ok([502, 503].includes(answer.status), `${proxy}/views: ${answer.status}`);
    await answer.body?.cancel();
  }

  start();
  const before = streams.map((stream) => stream.seen[loaded(stream)]);
  await Promise.all(streams.map((stream, at) => stream.until(loaded(stream), before[at] + 1)));
});

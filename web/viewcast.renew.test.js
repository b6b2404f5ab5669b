// node --test web/viewcast.renew.test.js
// A stream that ends with a token is given a newer one before; time is the test's.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { serve } from "../tests/browser/scripted-server.mjs";

const BASE = 'event: base\ndata: [{"n":1},{"n":2}]\nid: 1-a\n\n';

// Once for all: what Node 20 does when this is set again and again is no matter of ours.
mock.timers.enable({ apis: ["setTimeout", "Date"] });

function open(t, url, options) {
  const view = new ViewStream(url, options);
  t.after(() => view.close());
  return view;
}

const head = (response, headers = {}) => response.writeHead(200, { "content-type": "text/event-stream", ...headers });

/** A gateway that gives streams an id, and what it was asked for. */
async function renewing(t, answer) {
  const asked = [];
  let opened = 0;
  const { url } = await serve(t, (response, request) => {
    asked.push([request.method, request.url, request.headers.authorization, request.headers["viewcast-stream"]]);
    if (request.method === "POST") return answer(response, asked.filter(([method]) => method === "POST").length);
    head(response, { "viewcast-stream": `${"a".repeat(31)}${(opened += 1)}; expires_in=600` }).write(BASE);
  });
  return { url: new URL(url).origin, asked };
}

const json = (response, status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

const soon = () => new Promise(setImmediate);

/** Lets what was asked for come, or what must not come. */
async function settle(turns = 2_000) {
  for (let n = 0; n < turns; n += 1) await soon();
}

async function until(condition, asked, meanwhile = () => {}) {
  for (let n = 0; n < 5_000 && !condition(); n += 1) {
    await soon();
    meanwhile();
  }
  assert.ok(condition(), JSON.stringify(asked));
}

test("stream_is_given_a_newer_token_before_its_own_ends", async (t) => {
  const { url, asked } = await renewing(t, (response) => json(response, 200, { expires_in: 600 }));
  let tokens = 0;
  const view = open(t, `${url}/top10/stream?user=eq.a`, { staleAfterMs: 1e9, token: () => `t${(tokens += 1)}` });
  await until(() => view.size === 2, asked);
  mock.timers.tick(359_000);
  await soon();
  assert.equal(asked.length, 1, "not before six tenths of its time");
  for (const time of [2, 3]) {
    mock.timers.tick(121_000);
    await until(() => asked.length === time, asked);
    assert.deepEqual(asked.at(-1), ["POST", "/top10/stream/token", `Bearer t${time}`, `${"a".repeat(31)}1`]);
    // The answer is read before the next one is waited for.
    await settle(50);
    mock.timers.tick(359_000);
  }
  assert.equal(view.status, "live");
});

test("stream_whose_newer_token_shows_other_rows_comes_back_with_it", async (t) => {
  const { url, asked } = await renewing(t, (response) => json(response, 409, { error: "other rows", hint: "" }));
  const view = open(t, `${url}/top10/stream`, { staleAfterMs: 1e9, token: () => "t" });
  const second = () => mock.timers.tick(1_000);
  await until(() => view.size === 2, asked, second);
  await until(() => asked.filter(([method]) => method === "GET").length >= 2, asked, second);
  assert.deepEqual(asked.map(([method]) => method).slice(0, 3), ["GET", "POST", "GET"]);
});

test("stream_of_another_gateway_is_left_to_end_with_its_token", async (t) => {
  const { url, asked } = await renewing(t, (response) => json(response, 404, { error: "unknown stream", hint: "" }));
  const view = open(t, `${url}/top10/stream`, { staleAfterMs: 1e9, token: () => "t" });
  await until(() => view.size === 2, asked);
  mock.timers.tick(480_000);
  await until(() => asked.length === 2, asked);
  await settle();
  mock.timers.tick(480_000);
  await settle();
  assert.deepEqual(asked.map(([method, path]) => `${method} ${path}`), ["GET /top10/stream", "POST /top10/stream/token"]);
});

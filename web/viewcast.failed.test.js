// node --test web/viewcast.failed.test.js
// A stream that cannot be had says so, and why, and goes on trying where that makes sense.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { ViewStream } from "./viewcast.js";
import { serve } from "../tests/browser/scripted-server.mjs";
import { FakeEventSource, latest, start } from "../tests/browser/fake-eventsource.mjs";

const BASE = 'event: base\ndata: [{"n":1}]\nid: 1-a\n\n';
const streams = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write(BASE);
const json = (response, status, words) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(words));
/** What is wrong is said within a second; a busy machine needs some more. */
const SAID_MS = 10_000;

/** The view once its status is this. */
function becomes(view, status) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited for ${status}: ${view.status} ${view.reason}`)), SAID_MS);
    const look = () => {
      if (view.status !== status) return;
      clearTimeout(timer);
      resolve(view);
    };
    view.addEventListener("status", look);
    look();
  });
}

/** What a stream from this answer says of itself, and the waits that it then sets. */
async function failure(t, script, options) {
  const waits = [];
  const { setTimeout: real } = globalThis;
  const { mock } = t.mock.method(globalThis, "setTimeout", (call, ms) => {
    waits.push(ms);
    return real(call, ms);
  });
  const { url } = typeof script === "string" ? { url: script } : await serve(t, script);
  const view = new ViewStream(url, options);
  t.after(() => view.close());
  const details = [];
  view.addEventListener("status", ({ detail }) => details.push(detail));
  await becomes(view, "failed");
  mock.restore();
  assert.deepEqual(details.at(-1), { status: "failed", reason: view.error.message, error: view.error });
  assert.equal(view.snapshot().error, view.error);
  return { view, error: view.error, wait: waits.findLast((ms) => ms < 40_000 && ms !== SAID_MS) };
}

test("refusal_of_the_gateway_is_said_in_its_words", async (t) => {
  const words = { error: "view is not granted", hint: "Ask for a token that names it." };
  const { error, wait } = await failure(t, (response) => json(response, 403, words));
  assert.deepEqual(error, { status: 403, message: words.error, hint: words.hint, permanent: true });
  assert.ok(wait >= 15_000, `looked for again after ${wait} ms: slowly`);
});

test("page_that_is_html_is_said_to_be_none", async (t) => {
  const html = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><p>Log in");
  const { error } = await failure(t, html);
  assert.equal(error.status, 200);
  assert.match(error.message, /text\/html/);
  assert.match(error.hint, /\/NAME\/stream/);
  assert.equal(error.permanent, true);
});

test("missing_view_is_looked_for_slowly_and_found", async (t) => {
  let isThere = false;
  const { view, error, wait } = await failure(t, (response) => (isThere ? streams(response) : response.writeHead(404).end()));
  assert.deepEqual([error.status, error.message, error.permanent], [404, "answered 404", true]);
  assert.ok(wait >= 15_000, `${wait} ms`);
  await assert.rejects(view.ready, { message: "answered 404", status: 404, permanent: true });
  isThere = true;
  view.pause();
  view.resume();
  await view.ready;
  assert.deepEqual([view.status, view.error], ["live", null]);
});

test("server_in_trouble_is_asked_again_soon_or_when_it_says", async (t) => {
  const { error, wait } = await failure(t, (response) => response.writeHead(503).end());
  assert.deepEqual([error.status, error.permanent], [503, false]);
  assert.ok(wait <= 1_000, `${wait} ms`);
  const told = await failure(t, (response) => response.writeHead(503, { "retry-after": "7" }).end());
  assert.equal(told.wait, 7_000);
});

test("port_where_nobody_listens_is_no_answer", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  const { error } = await failure(t, `http://127.0.0.1:${port}/v/stream`);
  assert.deepEqual([error.status, error.permanent], [0, false]);
  assert.match(error.message, /no answer: .*ECONNREFUSED/);
});

test("token_that_is_refused_is_asked_for_again", async (t) => {
  const refuses = (response, { headers }) => (headers.authorization === "Bearer good" ? streams(response) : json(response, 401, { error: "token has expired" }));
  const tokens = ["old", "good"];
  const { view, error } = await failure(t, refuses, { token: () => tokens.shift() });
  assert.deepEqual([error.status, error.message, error.permanent], [401, "token has expired", false]);
  await becomes(view, "live");
  const fixed = await failure(t, refuses, { token: "old" });
  assert.equal(fixed.error.permanent, true, "the same token again will not help");
});

test("token_that_cannot_be_had_is_said", async (t) => {
  let asked = 0;
  const token = () => {
    asked += 1;
    if (asked === 1) throw new Error("logged out");
    return "t";
  };
  const { view, error } = await failure(t, streams, { token });
  assert.deepEqual(error, { status: 0, message: "token() failed: logged out", hint: "It is asked again.", permanent: false });
  await becomes(view, "live");
});

test("silence_before_the_first_word_is_a_failure", async (t) => {
  const { error } = await failure(t, () => {}, { staleAfterMs: 50 });
  assert.deepEqual([error.status, error.message, error.permanent], [0, "nothing heard for 0.05 s", false]);
});

test("view_that_is_not_loaded_yet_is_no_failure", async (t) => {
  const { url } = await serve(t, (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n"));
  const view = new ViewStream(url, { staleAfterMs: 50 });
  t.after(() => view.close());
  const seen = [];
  view.addEventListener("status", ({ detail }) => seen.push(detail.status));
  while (view.reason !== "waiting for a base") await new Promise((resolve) => view.addEventListener("status", resolve, { once: true }));
  assert.deepEqual(seen, ["connecting"]);
});

test("view_that_is_not_loaded_yet_is_waited_for_after_a_failure", async (t) => {
  let status = 503;
  const { view } = await failure(t, (response) => response.writeHead(status, { "content-type": "text/event-stream" }).write(":\n\n"));
  status = 200;
  await new Promise((resolve) => view.addEventListener("open", resolve, { once: true }));
  assert.deepEqual([view.status, view.error], ["connecting", null]);
});

test("native_event_source_that_fails_is_followed_by_one_fetch", async (t) => {
  t.after(() => delete globalThis.EventSource);
  globalThis.EventSource = FakeEventSource;
  let refuses = true;
  const { url, requests } = await serve(t, (response) => (refuses ? json(response, 404, { error: "no such view" }) : streams(response)));
  for (const forGood of [true, false]) {
    refuses = true;
    const view = new ViewStream(url);
    t.after(() => view.close());
    const asked = requests.length;
    latest().fail(forGood);
    await becomes(view, "failed");
    assert.deepEqual([view.error.status, view.reason], [404, "no such view"]);
    assert.equal(requests.length, asked + 1);
    assert.equal(latest().readyState, 2, "it does not go on beside the fetch");
    refuses = false;
    view.pause();
    view.resume();
    await becomes(view, "live");
    // From then on it is EventSource again.
    const opened = FakeEventSource.opened.length;
    view.pause();
    view.resume();
    assert.equal(FakeEventSource.opened.length, opened + 1);
  }
});

test("event_source_of_ones_own_says_why_itself", () => {
  const { view } = start();
  latest().send("base", "1-a", [{ n: 1 }]);
  latest().fail();
  assert.deepEqual([view.status, view.error], ["connecting", null], "a connection that broke is made again");
  latest().readyState = 2;
  latest().dispatchEvent(Object.assign(new Event("error"), { code: 403, message: "Non-200 status code (403)" }));
  assert.deepEqual([view.status, view.error.status, view.error.permanent], ["failed", 403, true]);
  assert.deepEqual(view.rows(), [{ n: 1 }], "rows that are held stay");
  view.close();
});

// HTTP/2 without TLS, as a proxy speaks it that was told to: a hundred streams on one connection,
// by Node's own client.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { once } from "node:events";
import { test } from "node:test";
import { gatewayUrl, subscribers, until } from "./chromium.mjs";

const STREAMS = 100;

test("a hundred streams on one connection without TLS, and each can be closed by itself", async () => {
  const url = gatewayUrl();
  const session = connect(url);
  const streams = Array.from({ length: STREAMS }, (_, at) => {
    const path = at % 2 === 0 ? "/user_edits/stream" : "/stream?view=counter&view=user_edits";
    const stream = session.request({ ":path": path, accept: "text/event-stream" });
    const seen = { status: 0, text: "" };
    stream.on("response", (headers) => (seen.status = headers[":status"]));
    stream.setEncoding("utf8");
    stream.on("data", (piece) => (seen.text += piece));
    stream.on("error", (error) => (seen.error = error.message));
    return { stream, seen };
  });
  const isServed = ({ seen }) => seen.status === 200 && /base\n/.test(seen.text) && (seen.text.match(/delta\n/g)?.length ?? 0) > 2;
  await until("a base and deltas on every stream", () => streams.filter(isServed).length, (count) => count === STREAMS);
  assert.equal((await subscribers(url)).user_edits, STREAMS);
  for (const { stream } of streams.slice(0, STREAMS / 2)) stream.close();
  await until("half of them to be gone", () => subscribers(url), ({ user_edits }) => user_edits === STREAMS / 2);
  const last = streams.at(-1).seen;
  const length = last.text.length;
  await until("the others to go on", () => last.text.length > length);
  assert.deepEqual(streams.filter(({ seen }) => seen.error).length, 0);
  session.close();
  session.destroy();
  await once(session, "close").catch(() => {});
  await until("all of them to be gone", () => subscribers(url), ({ user_edits }) => user_edits === 0);
});

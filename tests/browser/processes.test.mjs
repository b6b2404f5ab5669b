// VIEWCAST_BIN=target/debug/viewcast node --test processes.test.mjs
// The page while real processes die: the gateway, and the Materialize behind it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { launch, newPage, panel, picture, until, untilLive } from "./chromium.mjs";

const BINARY = process.env.VIEWCAST_BIN;
const VIEWS = ["counter", "top10"];
const running = new Set();

let browser;
before(async () => (browser = await launch()));
after(async () => {
  for (const child of running) child.kill("SIGKILL");
  await browser?.close();
});

/** Starts the binary and gives what its log says in place of `pattern`'s group. */
async function start(pattern, ...args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VIEWCAST_") && name !== "RUST_LOG"));
  const child = spawn(BINARY, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  const lines = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    const found = pattern.exec(line);
    if (found !== null) {
      child.stderr.resume();
      return { found: found[1], kill: () => (child.kill("SIGKILL"), once(child, "exit")) };
    }
  }
  throw new Error(`${args.join(" ")} ended: ${lines.join("\n")}`);
}

/** A Materialize: the demo's stand-in. */
const startUpstream = () => start(/postgres:\/\/materialize@127\.0\.0\.1:(\d+)/, "demo", "--tick", "100ms", "--rate", "100", "--seed-edits", "500", "--listen", "127.0.0.1:0");

/** An address that stays while what is behind it comes and goes. */
async function startDoor() {
  const door = { port: null };
  const sockets = new Set();
  const server = createServer((socket) => {
    const inner = connect(door.port, "127.0.0.1");
    for (const each of [socket, inner]) {
      sockets.add(each);
      each.on("error", () => {});
      each.on("close", () => (sockets.delete(each), socket.destroy(), inner.destroy()));
    }
    socket.pipe(inner).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  door.address = `127.0.0.1:${server.address().port}`;
  door.close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return door;
}

async function startGateway(door, listen) {
  const views = VIEWS.flatMap((view) => ["--view", view]);
  const { found, kill } = await start(/listening on (http:\S+)/, "--upstream", `postgres://materialize@${door.address}/materialize`, ...views, "--listen", listen, "--heartbeat", "1s");
  return { url: found, kill };
}

const says = (page, view, pattern) => until(`${view} to say ${pattern}`, () => panel(page, view).locator(".status").first().innerText(), (text) => pattern.test(text));

/** Asserts that the page is live again by itself, and that what it shows changes. */
async function assertLives(page) {
  for (const view of VIEWS) {
    await untilLive(page, view);
    const first = await picture(page, view);
    await until(`${view} to change`, () => picture(page, view), (seen) => seen !== first);
  }
  assert.match(await page.locator("#connection").innerText(), /live/);
}

test("gateway_and_upstream_are_killed_and_come_back", async (t) => {
  const door = await startDoor();
  t.after(() => door.close());
  let upstream = await startUpstream();
  door.port = Number(upstream.found);
  let gateway = await startGateway(door, "127.0.0.1:0");
  const { page, close } = await newPage(browser);
  t.after(close);
  await page.goto(gateway.url);
  await assertLives(page);

  await gateway.kill();
  await says(page, "counter", /(reconnecting|offline)\s*as of .*\d/);
  gateway = await startGateway(door, new URL(gateway.url).host);
  await assertLives(page);

  await upstream.kill();
  await says(page, "counter", /stale\s*as of .*\d.*upstream lost/);
  assert.ok(await panel(page, "counter").evaluate((node) => node.classList.contains("is-old")), "old data is greyed");
  assert.match(await page.title(), /^\(stale\)/);
  upstream = await startUpstream();
  door.port = Number(upstream.found);
  await assertLives(page);
  assert.ok(!(await panel(page, "counter").evaluate((node) => node.classList.contains("is-old"))));
  await gateway.kill();
  await upstream.kill();
});

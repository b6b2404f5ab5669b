// VIEWCAST_URL=http://127.0.0.1:8080 node --test webkit.test.mjs
// The page and the client module in Debian's WebKitGTK, whose engine is Safari's, by its own driver, on a display that nobody sees.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { gatewayUrl, until } from "./chromium.mjs";
import { startSite } from "./site.mjs";

const gateway = gatewayUrl();
/** Debian 12 has the one, later ones the other. */
const BROWSER = ["4.1", "4.0", "6.0"].map((version) => `/usr/lib/x86_64-linux-gnu/webkit${version === "6.0" ? "gtk-6.0" : `2gtk-${version}`}/MiniBrowser`).find(existsSync);
let driver;
let address;
let session;

/** A command of WebDriver, and its answer. */
async function ask(method, path, body) {
  const answer = await fetch(`${address}${path}`, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  assert.ok(answer.ok, JSON.stringify(value));
  return value;
}
const command = (method, path, body) => ask(method, `/session/${session}${path}`, body);
const go = (url) => command("POST", "/url", { url });
/** What a function of these texts gives in the page. */
const run = (text, ...args) => command("POST", "/execute/sync", { script: text, args });
const textOf = (selector) => run("return document.querySelector(arguments[0])?.innerText ?? ''", selector);

before(async () => {
  assert.ok(BROWSER, "WebKitGTK's MiniBrowser is there; `make prepare` installs it");
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address();
  await new Promise((resolve) => free.close(resolve));
  address = `http://127.0.0.1:${port}`;
  driver = spawn("xvfb-run", ["-a", "WebKitWebDriver", `--port=${port}`], { stdio: "ignore", detached: true, env: { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", NO_AT_BRIDGE: "1" } });
  await until("the driver", () => fetch(`${address}/status`).then(({ ok }) => ok, () => false));
  const options = { binary: BROWSER, args: ["--automation"] };
  const { sessionId } = await ask("POST", "/session", { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } } });
  session = sessionId;
});
after(async () => {
  if (session !== undefined) await command("DELETE", "").catch(() => {});
  const ended = once(driver, "exit");
  process.kill(-driver.pid, "SIGKILL");
  await ended;
});

test("webkit_shows_the_page_and_follows_it", async () => {
  await go(`${gateway}/#/user_edits`);
  await until("rows", () => run("return document.querySelectorAll('.rows tbody tr:not(.space)').length"), (rows) => rows > 5);
  await until("it to be live", () => textOf(".view .status"), (text) => text.startsWith("live"));
  const first = await textOf(".rows tbody");
  await until("the rows to change", () => textOf(".rows tbody"), (text) => text !== first);
  await until("the stream", () => textOf(".events"), (text) => /delta \d+ rows?/.test(text));
  await go(`${gateway}/`);
  for (const view of ["counter", "edits_per_minute", "top10"]) {
    await until(`${view} to be live`, () => textOf(`[data-view="${view}"] .status`), (text) => text.startsWith("live"));
  }
});

test("webkit_goes_on_after_a_cut_without_a_base", async (t) => {
  const page = `<script type="module">
    import { ViewStream } from "/assets/viewcast.js";
    window.said = [];
    window.view = new ViewStream("/top10/stream");
    for (const type of ["base", "change", "status"]) view.addEventListener(type, ({ detail }) => said.push(detail.status ?? type));
  </script>`;
  const site = await startSite(gateway, { pages: { "/page": page } });
  t.after(() => site.close());
  await go(`${site.url}/page`);
  await until("changes", () => run("return window.said?.filter((word) => word === 'change').length ?? 0"), (changes) => changes > 1);
  await run("window.said.length = 0");
  site.cut();
  await until("it to come back", () => run("return window.said"), (said) => said.includes("live") && said.at(-1) === "change");
  const said = await run("return window.said");
  assert.ok(!said.includes("base"), said.join());
  // What is shown is what the gateway has at the same position.
  const agrees = await run(`
    return (async () => {
      for (;;) {
        const answer = await fetch("/top10", { cache: "no-store" });
        const [tag, rows] = [answer.headers.get("etag"), await answer.json()];
        await view.until(tag.slice(1, -1));
        if (view.position === tag.slice(1, -1)) return JSON.stringify(rows.map((row) => JSON.stringify(row)).sort()) === JSON.stringify(view.rows().map((row) => JSON.stringify(row)).sort());
      }
    })();`);
  assert.equal(agrees, true);
});

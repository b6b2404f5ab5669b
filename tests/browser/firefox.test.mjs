// VIEWCAST_URL=http://127.0.0.1:8080 node --test firefox.test.mjs
// The client module in Debian's Firefox, which no driver is needed for: its page tries things, and tells this process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gatewayUrl, subscribers } from "./chromium.mjs";
import { startSite } from "./site.mjs";

const FIREFOX = process.env.FIREFOX ?? "firefox-esr";
const PATIENCE_MS = 60_000;
const gateway = gatewayUrl();
let site;
let reports;
/** Path of a page -> what it is given once it reports. */
const waiting = new Map();
before(async () => {
  reports = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.end();
    waiting.get(request.url)?.(JSON.parse(body));
  }).listen(0, "127.0.0.1");
  await once(reports, "listening");
});
after(async () => {
  await site?.close();
  reports.close();
});

/** Runs a module's text in a page of Firefox; `report(value)` in it ends that, and closes the browser. */
async function run(t, text, also = {}) {
  const address = `http://127.0.0.1:${reports.address().port}/${waiting.size}`;
  const told = new Promise((resolve) => waiting.set(`/${waiting.size}`, resolve));
  const script = `<script type="module">
    import { ViewStream } from "/assets/viewcast.js";
    const report = (value) => fetch(${JSON.stringify(address)}, { method: "POST", mode: "no-cors", body: JSON.stringify(value) });
    try { ${text} } catch (error) { report({ thrown: String(error) }); }
  </script>`;
  site = await startSite(gateway, { pages: { "/page": script, ...also } });
  const profile = mkdtempSync(join(tmpdir(), "viewcast-firefox-"));
  writeFileSync(join(profile, "user.js"), 'user_pref("browser.shell.checkDefaultBrowser", false);\nuser_pref("datareporting.policy.dataSubmissionEnabled", false);\nuser_pref("app.update.enabled", false);\n');
  const child = spawn(FIREFOX, ["--headless", "--no-remote", "--profile", profile, `${site.url}/page`], { stdio: "ignore", detached: true });
  t.after(async () => {
    const ended = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await ended;
    await site.close();
    rmSync(profile, { recursive: true, force: true });
  });
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("Firefox did not report")), PATIENCE_MS)));
  return Promise.race([told, late]).finally(() => clearTimeout(timer));
}

test("firefox_says_why_there_is_no_stream", async (t) => {
  const closed = await startSite(gateway);
  await closed.close();
  const errors = await run(t, `
    const failure = (url) => new Promise((resolve) => {
      const view = new ViewStream(url);
      view.addEventListener("status", ({ detail: { error } }) => error && (view.close(), resolve([error.status, error.permanent])));
    });
    report(await Promise.all(["/nope/stream", "/page", "/top10/stream?limit=3", "${closed.url}/top10/stream"].map(failure)));`);
  assert.deepEqual(errors, [[404, true], [200, true], [400, true], [0, false]]);
});

test("firefox_shares_a_stream_between_pages", async (t) => {
  const frame = `<script type="module">
    import { ViewStream } from "/assets/viewcast.js";
    window.view = new ViewStream("/user_edits/stream", { shared: true });
  </script>`;
  const seen = await run(t, `
    const view = new ViewStream("/user_edits/stream", { shared: true });
    const frame = Object.assign(document.createElement("iframe"), { src: "/frame" });
    document.body.append(frame);
    await view.ready;
    while (frame.contentWindow.view?.status !== "live") await new Promise((resolve) => setTimeout(resolve, 50));
    const other = frame.contentWindow.view;
    const sorted = (each) => each.rows().map((row) => JSON.stringify(row)).sort().join();
    while (view.position !== other.position) await new Promise((resolve) => view.addEventListener("change", () => setTimeout(resolve), { once: true }));
    // At once: while anything is awaited, one of them may go on.
    const seen = { same: sorted(view) === sorted(other), size: view.size };
    const { views } = await (await fetch("/views")).json();
    report({ ...seen, subscribers: views.find(({ name }) => name === "user_edits").subscribers });`, { "/frame": frame });
  assert.deepEqual([seen.same, seen.subscribers], [true, 1], JSON.stringify(seen));
  assert.ok(seen.size > 100);
});

test("firefox_goes_on_after_a_reload_without_a_base", async (t) => {
  const said = await run(t, `
    const said = [];
    const view = new ViewStream("/page_edits/stream", { persist: "indexeddb" });
    for (const type of ["wire", "status"]) view.addEventListener(type, ({ detail }) => said.push(detail.type ?? (detail.reason || detail.status)));
    await view.ready;
    if (!sessionStorage.again) {
      sessionStorage.again = "yes";
      setTimeout(() => location.reload(), 2_000);
    } else report(said);`);
  assert.deepEqual(said.slice(0, 2), ["rows of before", "delta"], said.join());
  assert.ok(!said.includes("base"), said.join());
});

test("firefox_leaves_no_stream_behind", async () => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { user_edits: users, page_edits: pages } = await subscribers(gateway);
    if (users + pages === 0) return;
    assert.ok(Date.now() < end, `${users} and ${pages} streams`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

// The page: `/` shows the views that have a chart and a list of all, `/#/NAME` one view as a table.
import { Catalog } from "./catalog.js";
import { Counter } from "./counter.js";
import { announce, setText } from "./dom.js";
import { Panel } from "./panel.js";
import { Ranking } from "./ranking.js";
import { placeIn } from "./routes.js";
import { Streams } from "./streams.js";
import { Timeline } from "./timeline.js";
import { Treemap } from "./treemap.js";
import { clock, decimal, milliseconds, number, toInstant } from "./values.js";
import { ViewPage } from "./viewpage.js";

/** How often the list of views is asked for, in ms. */
const VIEWS_MS = 3_000;
/** How long an answer may take, in ms. */
const ANSWER_MS = 10_000;
/** Rates are means over this time, in seconds. */
const RATE_SECONDS = 5;
/** A latency beyond a day is a clock of another kind, not a delay, in ms. */
const LATENCY_MS_MAX = 86_400_000;
/** The gateway says its time in whole seconds: a difference below this tells nothing, in ms. */
const SKEW_MS_MIN = 1_500;

/** The views that have a chart of their own, if they have these columns. */
const CHARTS = [
  { name: "counter", title: "Edits so far", kind: "counter", columns: ["edits"], chart: () => new Counter() },
  { name: "edits_per_minute", title: "Edits per minute", kind: "timeline", columns: ["minute", "edits"], chart: () => new Timeline() },
  { name: "top10", title: "Top ten editors", kind: "ranking", columns: ["user", "count"],
    chart: () => new Ranking({ key: ["user"], order: ["count"], value: "count", unit: "edits", label: ({ user }) => user ?? "anonymous" }) },
  { name: "edits_by_language", title: "Edits by language", kind: "treemap", columns: ["language", "family", "edits"], chart: () => new Treemap() },
  { name: "hot_pages", title: "Hot pages", kind: "ranking", columns: ["page", "wiki", "editors", "edits"],
    chart: () => new Ranking({ key: ["page", "wiki"], order: ["editors", "edits"], value: "editors", unit: "editors", fades: true,
      label: ({ page }) => String(page), detail: ({ wiki, edits }) => `${wiki} · ${number(edits)} edits` }) },
];

const byId = (id) => document.getElementById(id);
const streams = new Streams();
const catalog = new Catalog();
/** View name -> its panel on the dashboard. */
const charts = new Map();
/** The page of one view, while it is open. */
let viewPage = null;
let views = [];
/** Whether the gateway answered last time, and whether it did so by asking for a token. */
let answers = false;
let refused = false;
/** [ms, row changes] of each event heard lately. */
let heard = [];
/** Panel -> ms between its last delta's timestamp in Materialize and its arrival here. */
const latencies = new Map();
/** When it gave the views, in ms of its clock. */
let answeredAt = null;
/** The gateway's clock minus ours, in ms. */
let skew = 0;
let scrolled = 0;
let routed = false;

const now = () => Date.now() + skew;
/** The panels that the reader has before him. */
const shown = () => (viewPage !== null ? [viewPage] : [...charts.values()]);

function latencyOf({ stream }) {
  const instant = toInstant(stream?.timestamp ?? null);
  const latency = instant === null ? LATENCY_MS_MAX : now() - instant;
  return latency < LATENCY_MS_MAX ? Math.max(0, latency) : null;
}

function onActivity(panel, changes) {
  if (changes !== null) {
    heard.push([Date.now(), changes]);
    const isFirst = !latencies.has(panel);
    latencies.set(panel, latencyOf(panel));
    if (isFirst) showNumbers();
  }
  showConnection();
}

function addCharts() {
  for (const { name, title, kind, columns, chart } of CHARTS) {
    const view = views.find((each) => each.name === name);
    const fits = view !== undefined && columns.every((column) => view.columns.some((each) => each.name === column));
    if (!fits || charts.has(name)) continue;
    const panel = new Panel(view, { title, kind, chart: chart(), onActivity, onTouch: (each) => streams.touch(each) });
    panel.element.dataset.panel = name;
    charts.set(name, panel);
    byId("dashboard").append(panel.element);
    streams.add(panel);
  }
}

/** Shows what the address asks for. */
function route({ byReader = true } = {}) {
  const { name, query } = placeIn(location.hash);
  const view = views.find((each) => each.name === name);
  showNotice();
  if (routed && (viewPage?.view.name ?? null) === (view?.name ?? null)) return viewPage?.show(query);
  routed = true;
  if (viewPage === null) scrolled = scrollY;
  if (viewPage !== null) latencies.delete(viewPage);
  viewPage?.close();
  viewPage = view === undefined ? null : new ViewPage(view, { query, onActivity });
  byId("home").hidden = viewPage !== null;
  byId("view").hidden = viewPage === null;
  heard = [];
  if (viewPage !== null) byId("view").append(viewPage.element);
  streams.only(viewPage);
  if (byReader) {
    if (viewPage !== null) viewPage.focus();
    scrollTo(0, viewPage === null ? scrolled : 0);
  }
  showTitle();
  showNumbers();
}

function showNotice() {
  const { name } = placeIn(location.hash);
  const missing = name !== null && !views.some((view) => view.name === name);
  const text = refused ? "Reading needs an access token here, and this browser has none that is good."
    : views.length === 0 ? (answers ? "The gateway serves no view yet." : "The gateway does not answer. Trying again…")
    : missing ? `No view named “${name}” is served here.` : "";
  setText(byId("notice"), text);
  byId("notice").hidden = text === "";
}

/** What this is, for who has found it. */
function showAbout({ version, about }) {
  setText(byId("about"), [about, version && `viewcast ${version}`].filter(Boolean).join(" · "));
}

async function askViews() {
  try {
    const response = await fetch("views", { headers: { accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS) });
    refused = response.status === 401 || response.status === 403;
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    const difference = Date.parse(response.headers.get("date") ?? "") + 500 - Date.now();
    skew = Math.abs(difference) > SKEW_MS_MIN ? difference : 0;
    // Below wherever the page is: a proxy may have put a path before it, beside the gateway's own.
    const below = (path) => `.${path.slice(answer.gateway?.base_path?.length ?? 0)}`;
    views = answer.views.map((view) => ({ ...view, stream: view.stream ? below(view.stream) : `./${encodeURIComponent(view.name)}/stream`, columns: view.columns ?? [],
      sql: view.sql ? below(view.sql) : null }));
    answers = true;
    answeredAt = BigInt(Math.round(now()));
    showAbout(answer.gateway ?? {});
    addCharts();
    catalog.draw(views, now());
  } catch {
    answers = false;
  }
  byId("catalog").classList.toggle("is-old", !answers);
  setText(byId("catalog-standing"), answers || answeredAt === null ? "" : `as of ${clock(answeredAt)} · no answer`);
  showNotice();
  return answers;
}

/** One word for all streams: the worst of those that are open. */
function worst() {
  const open = shown().filter((panel) => panel.isStreaming);
  const statuses = open.map((panel) => panel.stream.status);
  // Without a stream, what is shown comes from the list of views, or is a refusal.
  const wantsNone = viewPage === null ? charts.size === 0 && views.length > 0 : viewPage.isRefused;
  if (statuses.length === 0) return wantsNone ? (answers ? "live" : "stale") : "connecting";
  return ["gone", "failed", "stale", "connecting", "live"].find((each) => statuses.includes(each)) ?? "connecting";
}

function showConnection() {
  const node = byId("connection");
  const status = worst();
  if (node.dataset.status === status) return;
  node.dataset.status = status;
  setText(node, status === "failed" ? "offline" : status);
  announce({ live: "live", stale: "stale: the data is old", gone: "a view is gone", failed: "offline: the data is old", connecting: "connecting" }[status]);
  showTitle();
}

function showTitle() {
  const { status } = byId("connection").dataset;
  const mark = { stale: "(stale) ", gone: "(gone) ", failed: "(offline) " }[status] ?? "";
  document.title = `${mark}${viewPage === null ? "" : `${viewPage.view.name} · `}viewcast`;
}

function showNumbers() {
  const since = Date.now() - RATE_SECONDS * 1000;
  heard = heard.filter(([at]) => at > since);
  // Nothing is claimed of what does not come.
  const isLive = shown().some(({ stream }) => stream?.status === "live");
  const rate = (sum) => (isLive ? decimal(sum / RATE_SECONDS) : "–");
  setText(byId("events-per-second"), rate(heard.length));
  setText(byId("changes-per-second"), rate(heard.reduce((sum, [, changes]) => sum + changes, 0)));
  // Of what is old it says nothing.
  const sorted = shown().filter(({ stream }) => stream?.status === "live").map((panel) => latencies.get(panel)).filter((latency) => latency != null).sort((a, b) => a - b);
  setText(byId("latency"), sorted.length === 0 ? "–" : milliseconds(sorted[sorted.length >> 1]));
  showConnection();
}

async function main() {
  byId("catalog").append(catalog.element);
  while (!(await askViews()) || views.length === 0) await new Promise((resolve) => setTimeout(resolve, 2_000));
  route({ byReader: false });
  addEventListener("hashchange", () => route());
  // Only now, so that it does not jump down as the panels above it come.
  byId("catalog").hidden = false;
  setInterval(showNumbers, 1_000);
  setInterval(async () => document.hidden || ((await askViews()) && route({ byReader: false })), VIEWS_MS);
}

main();

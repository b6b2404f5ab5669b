// The page: asks which views there are and shows each in the way that fits it.
import { Catalog } from "./catalog.js";
import { Counter } from "./counter.js";
import { setText } from "./dom.js";
import { Panel } from "./panel.js";
import { Ranking } from "./ranking.js";
import { Streams } from "./streams.js";
import { Timeline } from "./timeline.js";
import { Treemap } from "./treemap.js";
import { decimal, number, toInstant } from "./values.js";

/** How often the list of views is asked for, in ms. */
const VIEWS_MS = 10_000;
/** Rates are means over this time, in seconds. */
const RATE_SECONDS = 5;
/** A lag beyond a day is a clock of another kind, not a delay, in ms. */
const LAG_MS_MAX = 86_400_000;

/** The views that have a chart of their own, if they have these columns. */
const CHARTS = [
  { name: "counter", title: "Edits so far", kind: "counter", columns: ["edits"], chart: () => new Counter() },
  { name: "edits_per_minute", title: "Edits per minute", kind: "timeline", columns: ["minute", "edits"], chart: () => new Timeline() },
  { name: "top10", title: "Top ten editors", kind: "ranking", columns: ["user", "count"],
    chart: () => new Ranking({ key: ["user"], order: ["count"], value: "count", unit: "edits", label: ({ user }) => user ?? "anonymous" }) },
  { name: "edits_by_language", title: "Edits by language", kind: "treemap", columns: ["language", "family", "edits"], chart: () => new Treemap() },
  { name: "hot_pages", title: "Hot pages", kind: "ranking", columns: ["page", "wiki", "editors", "edits"],
    chart: () => new Ranking({ key: ["page", "wiki"], order: ["editors", "edits"], value: "editors", unit: "editors",
      label: ({ page }) => String(page), detail: ({ wiki, edits }) => `${wiki} · ${number(edits)} edits` }) },
];

const byId = (id) => document.getElementById(id);
const streams = new Streams();
const catalog = new Catalog((name) => choose(name));
/** View name -> its panel on the dashboard. */
const charts = new Map();
/** The view that the reader chose to see as a table. */
let chosen = null;
let views = [];
/** [ms, row changes] of each event heard lately. */
let heard = [];
/** View name -> ms between a delta's timestamp and its arrival. */
const lags = new Map();

function onActivity(panel, changes) {
  if (changes === null) return showVitals();
  const now = Date.now();
  heard.push([now, changes]);
  const instant = toInstant(panel.timestamp);
  const lag = instant === null ? LAG_MS_MAX : now - instant;
  if (lag < LAG_MS_MAX) lags.set(panel.view.name, Math.max(0, lag));
}

const touch = (panel) => streams.touch(panel);

function addCharts() {
  for (const { name, title, kind, columns, chart } of CHARTS) {
    const view = views.find((each) => each.name === name);
    const fits = view !== undefined && columns.every((column) => view.columns.some((each) => each.name === column));
    if (!fits || charts.has(name)) continue;
    const panel = new Panel(view, { title, kind, chart: chart(), onActivity, onTouch: touch });
    panel.element.dataset.panel = name;
    charts.set(name, panel);
    byId("dashboard").append(panel.element);
    streams.add(panel);
  }
}

/** Shows a view: its chart as a table if it has one, else a table in place of the one chosen before. */
function choose(name, { focus = true } = {}) {
  const view = views.find((each) => each.name === name);
  if (view === undefined) return;
  const chart = charts.get(name);
  if (chart === undefined && chosen?.view.name !== name) {
    closeChosen();
    chosen = new Panel(view, { title: name, onActivity, onTouch: touch, onClose: () => { closeChosen(); byId("catalog").querySelector("button")?.focus(); } });
    byId("selected").hidden = false;
    byId("selected").append(chosen.element);
    streams.add(chosen);
    history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  }
  const panel = chart ?? chosen;
  chart?.showTable(true);
  streams.touch(panel);
  if (focus) panel.focus();
  drawCatalog();
}

function closeChosen() {
  if (chosen === null) return;
  streams.remove(chosen);
  lags.delete(chosen.view.name);
  chosen.close();
  chosen = null;
  byId("selected").hidden = true;
  history.replaceState(null, "", location.pathname);
  drawCatalog();
}

const drawCatalog = () => catalog.draw(views, new Set([...charts.keys(), chosen?.view.name]));

function notice(text) {
  setText(byId("notice"), text);
  byId("notice").hidden = text === "";
}

async function askViews() {
  try {
    const response = await fetch("/views", { headers: { accept: "application/json" }, signal: AbortSignal.timeout(VIEWS_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    views = answer.views.map((view) => ({ stream: `/${encodeURIComponent(view.name)}/stream`, ...view, columns: view.columns ?? [] }));
    notice(views.length === 0 ? "The gateway serves no view yet." : "");
    for (const view of views) (charts.get(view.name) ?? (chosen?.view.name === view.name ? chosen : null))?.describe(view);
    addCharts();
    drawCatalog();
    return true;
  } catch {
    notice(views.length === 0 ? "The gateway does not answer. Trying again…" : "");
    return false;
  }
}

/** One word for all streams: the worst of those that are open. */
function showVitals() {
  const panels = [...charts.values(), chosen].filter((panel) => panel?.isStreaming);
  const order = ["gone", "stale", "connecting", "live"];
  const status = order.find((each) => panels.some((panel) => panel.status === each)) ?? "connecting";
  const node = byId("connection");
  if (node.dataset.status !== status) {
    const words = { live: "live", stale: "stale: the data is old", gone: "a view is gone", connecting: "connecting" };
    setText(byId("announcement"), `Streams: ${words[status]}`);
    document.title = status === "live" || status === "connecting" ? "viewcast" : `(${status}) viewcast`;
  }
  node.dataset.status = status;
  setText(node, status);
}

function showRates() {
  const since = Date.now() - RATE_SECONDS * 1000;
  heard = heard.filter(([at]) => at > since);
  const rate = (sum) => decimal(sum / RATE_SECONDS);
  setText(byId("events-per-second"), rate(heard.length));
  setText(byId("changes-per-second"), rate(heard.reduce((sum, [, changes]) => sum + changes, 0)));
  const sorted = [...lags.values()].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  setText(byId("lag"), middle === undefined ? "–" : middle < 1000 ? `${number(Math.round(middle))} ms` : `${decimal(middle / 1000)} s`);
  showVitals();
}

async function main() {
  byId("catalog").append(catalog.element);
  while (!(await askViews()) || views.length === 0) await new Promise((resolve) => setTimeout(resolve, 2_000));
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (views.some(({ name }) => name === wanted)) choose(wanted, { focus: false });
  else if (charts.size === 0) choose(views[0].name, { focus: false });
  // Only now, so that it does not jump down as the panels above it come.
  document.querySelector(".catalog").hidden = false;
  setInterval(showRates, 1_000);
  setInterval(() => document.hidden || askViews(), VIEWS_MS);
}

main();

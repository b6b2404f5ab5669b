// A number over time as an area with a time axis.
import { el, setText, svg } from "./dom.js";
import { minute, number, parseTimestamp, toNumber } from "./values.js";

const STEP_MS = 60_000;
/** Minutes drawn at most; a recording with a hole of a year must not make a million points. */
const POINTS_MAX = 1_500;
const MARGIN = { top: 10, right: 14, bottom: 22, left: 40 };
/** Minutes between two ticks of the axis: the first one that leaves each label its room. */
const TICKS_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440];
const TICK_WIDTH = 64;

/** The least of 1, 2, 2.5, 5 times a power of ten that gives at most four grid lines. */
function gridStep(most) {
  const rough = Math.max(1, most / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

export class Timeline {
  #points = [];
  #size = { width: 0, height: 0 };
  #grid = svg("g", { class: "grid" });
  #axis = svg("g", { class: "axis" });
  #area = svg("path", { class: "area" });
  #line = svg("path", { class: "line" });
  #running = svg("path", { class: "line running" });
  #head = svg("circle", { class: "head", r: 4 });
  #rule = svg("line", { class: "rule", visibility: "hidden" });
  #hint = el("p", { class: "hint", hidden: true });
  /** Where the reader points, in px of the window, or null. */
  #pointed = null;
  #svg = svg("svg", { role: "img", onpointermove: ({ clientX }) => this.#point(clientX), onpointerleave: () => this.#unpoint(), onpointercancel: () => this.#unpoint() },
    this.#grid, this.#axis, this.#area, this.#line, this.#running, this.#rule, this.#head);
  #observer = new ResizeObserver(([{ contentRect: { width, height } }]) => {
    this.#size = { width, height };
    this.#render();
  });
  element = el("div", { class: "timeline" }, this.#svg, this.#hint);

  constructor() {
    this.#observer.observe(this.element);
  }

  close() {
    this.#observer.disconnect();
  }

  draw(stream) {
    const counts = new Map();
    for (const row of stream.rows()) {
      const at = parseTimestamp(row.minute);
      if (at !== null) counts.set(at, (counts.get(at) ?? 0) + toNumber(row.edits));
    }
    const times = [...counts.keys()].sort((a, b) => a - b);
    const last = times.at(-1);
    const first = Math.max(times[0], last - POINTS_MAX * STEP_MS);
    this.#points = [];
    // A minute without a row had no edits.
    for (let at = first; at <= last; at += STEP_MS) this.#points.push({ at, count: counts.get(at) ?? 0 });
    this.#render();
  }

  #scales() {
    const { width, height } = this.#size;
    const first = this.#points[0].at;
    const span = Math.max(STEP_MS, this.#points.at(-1).at - first);
    const most = Math.max(1, ...this.#points.map(({ count }) => count));
    const step = gridStep(most);
    const top = Math.ceil(most / step) * step;
    const x = (at) => MARGIN.left + ((at - first) / span) * (width - MARGIN.left - MARGIN.right);
    const y = (count) => height - MARGIN.bottom - (count / top) * (height - MARGIN.top - MARGIN.bottom);
    return { x, y, step, top, span, first };
  }

  #render() {
    const { width, height } = this.#size;
    if (this.#points.length === 0 || width < 80 || height < 60) return;
    const scales = this.#scales();
    const { x, y } = scales;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const path = (points) => points.map(({ at, count }, n) => `${n ? "L" : "M"}${x(at).toFixed(1)} ${y(count).toFixed(1)}`).join("");
    const last = this.#points.at(-1);
    // The last minute is not over, and is no fall: it stands by itself, as high as it has come.
    const done = this.#points.length > 1 ? this.#points.slice(0, -1) : this.#points;
    const bottom = y(0).toFixed(1);
    this.#area.setAttribute("d", `${path(done)}L${x(done.at(-1).at).toFixed(1)} ${bottom}L${x(done[0].at).toFixed(1)} ${bottom}Z`);
    this.#line.setAttribute("d", path(done));
    this.#running.setAttribute("d", `M${x(last.at).toFixed(1)} ${bottom}V${y(last.count).toFixed(1)}`);
    this.#head.setAttribute("cx", x(last.at));
    this.#head.setAttribute("cy", y(last.count));
    this.#renderAxes(scales);
    if (this.#pointed !== null) this.#point(this.#pointed);
    const peak = this.#points.reduce((best, point) => (point.count > best.count ? point : best));
    this.#svg.setAttribute("aria-label",
      `Edits per minute from ${minute(this.#points[0].at)} to ${minute(last.at)}: ` +
      `${number(done.at(-1).count)} in the last full minute, ${number(peak.count)} at ${minute(peak.at)} at the most`);
  }

  #renderAxes({ x, y, step, top, span, first }) {
    const { width, height } = this.#size;
    const lines = [];
    for (let count = 0; count <= top; count += step) {
      lines.push(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(count), y2: y(count) }));
      lines.push(svg("text", { x: MARGIN.left - 8, y: y(count), dy: "0.32em", "text-anchor": "end" }, number(count)));
    }
    this.#grid.replaceChildren(...lines);
    const room = Math.max(1, Math.floor((width - MARGIN.left - MARGIN.right) / TICK_WIDTH));
    const every = (TICKS_MINUTES.find((n) => span / (n * STEP_MS) <= room) ?? Math.ceil(span / (room * STEP_MS))) * STEP_MS;
    // Ticks stand on round local times, also where the zone is half an hour off.
    const zone = new Date(first).getTimezoneOffset() * STEP_MS;
    const ticks = [];
    for (let at = Math.ceil((first - zone) / every) * every + zone; at <= first + span; at += every) {
      ticks.push(svg("line", { x1: x(at), x2: x(at), y1: height - MARGIN.bottom, y2: height - MARGIN.bottom + 4 }));
      const fits = x(at) < width - TICK_WIDTH / 2;
      if (fits) ticks.push(svg("text", { x: x(at), y: height - 4, "text-anchor": "middle" }, minute(at)));
    }
    this.#axis.replaceChildren(...ticks);
  }

  #point(clientX) {
    this.#pointed = clientX;
    if (this.#points.length === 0 || this.#size.width < 80) return;
    const { x, y, first } = this.#scales();
    const box = this.#svg.getBoundingClientRect();
    const scale = (x(first + STEP_MS) - x(first)) || 1;
    const index = Math.round((clientX - box.left - MARGIN.left) / scale);
    const point = this.#points[Math.min(this.#points.length - 1, Math.max(0, index))];
    const at = x(point.at);
    for (const [name, value] of Object.entries({ x1: at, x2: at, y1: MARGIN.top, y2: y(0), visibility: "visible" })) this.#rule.setAttribute(name, value);
    this.#hint.hidden = false;
    setText(this.#hint, `${minute(point.at)} · ${number(point.count)} edits${point === this.#points.at(-1) ? " so far" : ""}`);
    const shift = Math.min(Math.max(at, 60), this.#size.width - 60);
    this.#hint.style.transform = `translateX(calc(${shift}px - 50%))`;
  }

  #unpoint() {
    this.#pointed = null;
    this.#rule.setAttribute("visibility", "hidden");
    this.#hint.hidden = true;
  }
}

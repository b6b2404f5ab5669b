// A view's panel: heading, where it stands, and a chart or a table inside.
import { ViewStream } from "./viewcast.js";
import { el, setText } from "./dom.js";
import { clock, number } from "./values.js";
import { Table } from "./table.js";

/** What a panel says that has no connection because others have them all. */
const NOT_STARTED = { status: "stale", reason: "paused", position: null };

let ids = 0;

export class Panel {
  #stream = null;
  #paused = false;
  #drawn = 0;
  #parts;
  /** The chart, or null for a table only. */
  #chart;
  #table = null;
  #onActivity;

  /** `chart` makes the drawing: an object with `element`, `draw(stream)` and perhaps `close()`. */
  constructor(view, { title, chart = null, kind = "table", onActivity, onTouch, onClose = null }) {
    const id = `panel-${(ids += 1)}`;
    this.view = view;
    this.#onActivity = onActivity;
    this.#chart = chart;
    const heading = el("h2", { id, tabindex: "-1" }, title);
    const name = el("code", { class: "view-name" }, view.name);
    const where = el("span", { class: "where" });
    const status = el("p", { class: "status", "data-status": "connecting" }, el("span", { class: "state" }, "waiting"), where, title === view.name ? "" : name);
    const toggle = el("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => this.showTable(!this.#table) }, "Table");
    const resume = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => onTouch(this) }, "Resume");
    const close = el("button", { type: "button", class: "quiet", "aria-label": `Close ${view.name}`, onclick: () => onClose?.(this) }, "Close");
    const body = el("div", { class: "body" }, el("p", { class: "empty" }, "Waiting for the first rows…"));
    const tools = el("div", { class: "tools" }, resume, ...(chart ? [toggle] : []), ...(onClose ? [close] : []));
    this.#parts = { heading, status, where, toggle, resume, body };
    this.element = el("article", { class: `panel panel-${kind}`, "aria-labelledby": id, "data-view": view.name },
      el("header", {}, heading, tools, status), body);
    if (chart === null) this.#table = new Table(view.columns, () => this.#soon());
  }

  /** Takes a newer description of the view: its columns may not have been known, or may have changed. */
  describe(view) {
    const same = JSON.stringify(view.columns) === JSON.stringify(this.view.columns);
    this.view = view;
    if (same || this.#table === null) return;
    this.#table = new Table(view.columns, () => this.#soon());
    this.#soon();
  }

  get status() {
    return this.#stream?.status ?? "connecting";
  }
  get isStreaming() {
    return this.#stream !== null && !this.#paused;
  }
  get timestamp() {
    return this.#stream?.timestamp ?? null;
  }

  focus() {
    this.#parts.heading.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Opens the stream, or goes on with the one that was paused. */
  start() {
    if (this.isStreaming) return;
    this.#paused = false;
    if (this.#stream !== null) return this.#stream.resume();
    const stream = new ViewStream(this.view.stream);
    this.#stream = stream;
    for (const type of ["base", "change", "heartbeat"]) {
      stream.addEventListener(type, ({ detail }) => {
        this.#onActivity(this, type === "change" ? detail.inserted.length + detail.deleted.length : 0);
        if (type === "heartbeat") this.#showStatus();
        else this.#soon();
      });
    }
    stream.addEventListener("status", () => {
      this.#showStatus();
      this.#onActivity(this, null);
    });
    this.#showStatus();
  }

  /** Lets go of the connection; what is shown stays, and says so. */
  pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
    this.#showStatus();
  }

  close() {
    this.#stream?.close();
    this.#chart?.close?.();
    this.element.remove();
  }

  showTable(shown) {
    this.#parts.toggle.setAttribute("aria-pressed", String(shown));
    this.#table = shown ? new Table(this.view.columns, () => this.#soon()) : null;
    if (this.#stream?.position) this.#draw();
  }

  /** Draws once in the next frame, however many events come before it. */
  #soon() {
    if (this.#drawn !== 0) return;
    this.#drawn = requestAnimationFrame(() => {
      this.#drawn = 0;
      this.#draw();
    });
  }

  #draw() {
    const drawing = this.#table ?? this.#chart;
    if (this.#stream === null || this.#stream.position === null) return;
    if (drawing.element.parentNode !== this.#parts.body) this.#parts.body.replaceChildren(drawing.element);
    drawing.draw(this.#stream);
    this.#showStatus();
  }

  /** Never passes old data for new: anything but live is greyed and says as of when it is. */
  #showStatus() {
    const { status, where, resume } = this.#parts;
    const stream = this.#stream ?? NOT_STARTED;
    const old = stream.status !== "live" && stream.position !== null;
    const paused = stream.reason === "paused";
    status.dataset.status = stream.status;
    this.element.classList.toggle("is-old", old && stream.status !== "connecting");
    resume.hidden = !paused;
    const words = { connecting: old ? "reconnecting" : "connecting", stale: paused ? "paused" : "stale" };
    setText(status.firstChild, words[stream.status] ?? stream.status);
    const reason = stream.reason && !paused ? ` · ${stream.reason}` : "";
    const time = stream.position === null ? "" : `${old ? "as of " : ""}${clock(stream.timestamp)}`;
    setText(where, time === "" && reason === "" ? "" : `${time}${old ? reason : ""}`);
    status.title = stream.position === null ? "" : `position ${stream.position}, ${number(stream.size)} rows`;
  }
}

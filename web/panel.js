// A view's panel on the dashboard: heading, where it stands, and its drawing.
import { ViewStream } from "./viewcast.js";
import { el } from "./dom.js";
import { pathOf } from "./routes.js";
import { StatusLine } from "./status.js";

let ids = 0;

export class Panel {
  #stream = null;
  #paused = false;
  #drawn = 0;
  #parts;
  #chart;
  #onActivity;

  /** `chart` makes the drawing: an object with `element`, `draw(stream)` and perhaps `close()`. */
  constructor(view, { title, chart, kind, onActivity, onTouch }) {
    const id = `panel-${(ids += 1)}`;
    this.view = view;
    this.#onActivity = onActivity;
    this.#chart = chart;
    const heading = el("h2", { id }, el("a", { href: pathOf(view.name), title: `${view.name} as a table` }, title));
    const status = new StatusLine(el("code", { class: "view-name" }, view.name));
    const resume = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => onTouch(this) }, "Resume");
    const body = el("div", { class: "body" }, el("p", { class: "empty" }, "Waiting for the first rows…"));
    this.#parts = { status, resume, body };
    this.element = el("article", { class: `panel panel-${kind}`, "aria-labelledby": id, "data-view": view.name },
      el("header", {}, heading, el("div", { class: "tools" }, resume), status.element), body);
  }

  get stream() { return this.#stream; }
  get isStreaming() { return this.#stream !== null && !this.#paused; }

  /** Opens the stream, or goes on with the one that was paused. */
  start() {
    if (this.isStreaming) return;
    this.#paused = false;
    if (this.#stream !== null) return this.#stream.resume();
    const stream = new ViewStream(this.view.stream, { shared: true });
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

  /** Draws once in the next frame, however many events come before it. */
  #soon() {
    this.#drawn ||= requestAnimationFrame(() => {
      this.#drawn = 0;
      if (this.#stream.position === null) return;
      if (this.#chart.element.parentNode !== this.#parts.body) this.#parts.body.replaceChildren(this.#chart.element);
      this.#chart.draw(this.#stream);
      this.#showStatus();
    });
  }

  #showStatus() {
    this.#parts.status.show(this.#stream, this.element);
    this.#parts.resume.hidden = this.#stream?.reason !== "paused";
  }
}

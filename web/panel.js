// A view's panel on the dashboard: heading, where it stands, and its drawing.
import { el } from "./dom.js";
import { pathOf } from "./routes.js";
import { StatusLine, isOld } from "./status.js";
import { Viewer } from "./viewer.js";

let ids = 0;

export class Panel extends Viewer {
  #drawn = 0;
  #parts;
  #chart;

  /** `chart` makes the drawing: an object with `element`, `draw(stream)` and perhaps `close()`. */
  constructor(view, { title, chart, kind, onActivity, onTouch }) {
    const status = new StatusLine(el("code", { class: "view-name" }, view.name));
    super(view, status, onActivity);
    const id = `panel-${(ids += 1)}`;
    this.#chart = chart;
    const heading = el("h2", { id }, el("a", { href: pathOf(view.name), title: `${view.name} as a table` }, title));
    const resume = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => onTouch(this) }, "Resume");
    const body = el("div", { class: "body" }, el("p", { class: "empty" }, "Waiting for the first rows…"));
    this.#parts = { resume, body };
    this.element = el("article", { class: `panel panel-${kind}`, "aria-labelledby": id, "data-view": view.name },
      el("header", {}, heading, el("div", { class: "tools" }, resume), status.element), body);
  }

  listen(stream) {
    for (const type of ["base", "change", "heartbeat"]) {
      stream.addEventListener(type, ({ detail }) => {
        this.heard(type === "change" ? detail.inserted.length + detail.deleted.length : 0);
        if (type === "heartbeat") this.showStatus();
        else this.#soon();
      });
    }
  }

  /** Draws once in the next frame, however many events come before it. */
  #soon() {
    this.#drawn ||= requestAnimationFrame(() => {
      this.#drawn = 0;
      if (this.stream.position === null) return;
      if (this.#chart.element.parentNode !== this.#parts.body) this.#parts.body.replaceChildren(this.#chart.element);
      this.#chart.draw(this.stream);
      this.showStatus();
    });
  }

  showStatus() {
    super.showStatus();
    this.#parts.resume.hidden = this.stream?.reason !== "paused";
    this.#chart.setOld?.(isOld(this.stream));
  }
}

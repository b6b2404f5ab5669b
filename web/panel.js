// A view's panel on the dashboard: heading, where it stands, and its drawing.
import { el, setText, skeleton } from "./dom.js";
import { pathOf } from "./routes.js";
import { StatusLine, isOld } from "./status.js";
import { Viewer } from "./viewer.js";

/** What a drawing is announced by. */
const BARS = { counter: 3, timeline: 1, ranking: 10, treemap: 1 };

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
    const body = el("div", { class: "body" }, skeleton(BARS[kind]));
    this.#parts = { resume, body, empty: el("p", { class: "empty" }) };
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
      const { body, empty } = this.#parts;
      const shown = this.stream.size === 0 ? empty : this.#chart.element;
      if (shown === empty) setText(empty, "The view has no rows.");
      if (shown.parentNode !== body) body.replaceChildren(shown);
      if (shown !== empty) this.#chart.draw(this.stream);
      this.showStatus();
    });
  }

  showStatus() {
    super.showStatus();
    this.#parts.resume.hidden = this.stream?.reason !== "paused";
    const { status, position, reason } = this.stream ?? {};
    const { body, empty } = this.#parts;
    // Nothing is waited for where nobody answers.
    if (status === "failed" && position === null) {
      setText(empty, `No rows: ${reason}.`);
      if (empty.parentNode !== body) body.replaceChildren(empty);
    }
    this.#chart.setOld?.(isOld(this.stream));
  }
}

// A stream as it comes: its rows with what happens to them, or the wire's own text, and how to read it elsewhere.
import { copyButton, el, setText } from "./dom.js";
import { changesOf } from "./rows.js";
import { number } from "./values.js";

/** Events kept in the document. */
const EVENTS_MAX = 60;
/** Characters of an event's data shown; a base may have millions. */
const DATA_MAX = 600;
/** Rows shown of an event. */
const ROWS_MAX = 12;
/** New events shown per frame; nobody reads more, and the page stays smooth. */
const PER_FRAME_MAX = 8;
/** So near its end a list counts as scrolled to the end, in px. */
const NEAR_PX = 40;

export class Wire {
  #list = el("ol", { class: "events" });
  /** Whether the newest event is kept in sight: until the reader goes back to older ones. */
  #follows = true;
  #scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Events", onscroll: ({ target: { scrollHeight, scrollTop, clientHeight } }) => {
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_PX;
  } }, this.#list);
  #waiting = [];
  #missed = 0;
  #asked = 0;
  #held = false;
  #isRaw = false;
  #command = el("code");
  element;

  constructor() {
    const raw = el("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => {
      this.#isRaw = !this.#isRaw;
      raw.setAttribute("aria-pressed", String(this.#isRaw));
    } }, "Raw");
    const hold = el("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => {
      this.#held = !this.#held;
      hold.setAttribute("aria-pressed", String(this.#held));
    } }, "Hold");
    this.element = el("aside", { class: "wire", id: "wire", "aria-label": "The stream as it comes" },
      el("div", { class: "curl-line" }, this.#command, copyButton("Copy the curl command", () => this.#command.textContent)),
      el("div", { class: "wire-tools" }, el("h3", {}, "Events as they come"), raw, hold),
      this.#scroll);
  }

  /** Says how to read the stream of this address elsewhere; what came of another one goes. */
  show(address) {
    setText(this.#command, `curl -N ${/^[\w:/.%~-]+$/.test(address) ? address : `'${address.replaceAll("'", "'\\''")}'`}`);
    [this.#waiting, this.#missed] = [[], 0];
    this.#list.replaceChildren();
  }

  /** Takes an event, as the client's `wire` event has it. */
  add(event) {
    if (this.#held || this.element.hidden) return;
    this.#waiting.push(event);
    if (this.#waiting.length > PER_FRAME_MAX) {
      this.#waiting.shift();
      this.#missed += 1;
    }
    this.#asked ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#asked = 0;
    if (this.#missed > 0) this.#list.append(el("li", { class: "more" }, `${number(this.#missed)} more events`));
    this.#list.append(...this.#waiting.map((event) => this.#item(event)));
    [this.#waiting, this.#missed] = [[], 0];
    while (this.#list.childElementCount > EVENTS_MAX) this.#list.firstElementChild.remove();
    if (this.#follows) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #item(event) {
    if (this.#isRaw) return this.#rawItem(event);
    const { type, data, lastEventId } = event;
    const changes = changesOf(type, data);
    const rest = changes.length - ROWS_MAX;
    const kinds = { "+": "insert", "-": "delete", "~": "update" };
    const words = changes.length > 0 ? `${number(changes.length)} ${changes.length === 1 ? "row" : "rows"}` : data === "[]" ? "nothing changed" : `${number(data.length)} characters`;
    return el("li", { title: lastEventId },
      el("b", {}, type), el("span", { class: "field" }, ` ${words}`),
      ...changes.slice(0, ROWS_MAX).map(([sign, text]) => el("div", { class: kinds[sign] }, `${sign} ${text.slice(0, DATA_MAX)}`)),
      ...(rest > 0 ? [el("div", { class: "field" }, `and ${number(rest)} more`)] : []));
  }

  #rawItem({ type, data, lastEventId }) {
    const rest = data.length - DATA_MAX;
    const shown = rest > 0 ? data.slice(0, DATA_MAX) : data;
    return el("li", {},
      el("span", { class: "field" }, "event: "), el("b", {}, type), "\n",
      el("span", { class: "field" }, "data: "), shown, ...(rest > 0 ? [el("span", { class: "field" }, ` … ${number(rest)} characters more`)] : []), "\n",
      el("span", { class: "field" }, "id: "), lastEventId);
  }
}

// Where a stream stands, in words: never passes old data for new.
import { el, setText } from "./dom.js";
import { clock, number } from "./values.js";

/** What is said of a stream that has no connection because others have them all. */
const NOT_STARTED = { status: "stale", reason: "paused", position: null };

/** Of one whose filter the gateway does not take. */
export const REFUSED = { status: "gone", word: "refused", reason: "", position: null };

/** Whether the rows held may no longer be those of the view. */
export const isOld = (stream) => stream !== null && stream.status !== "live" && stream.position !== null;

export class StatusLine {
  #state = el("span", { class: "state" }, "waiting");
  #where = el("span", { class: "where" });
  element;

  /** `more` stands at the end of the line. */
  constructor(...more) {
    this.element = el("p", { class: "status", "data-status": "connecting" }, this.#state, this.#where, ...more);
  }

  /** Shows a stream's status, or `word` and why there is none; `frame` is greyed while the data is old. */
  show(stream, frame) {
    const { status, reason, position, timestamp, size, word } = stream ?? NOT_STARTED;
    const old = isOld(stream);
    const paused = reason === "paused";
    this.element.dataset.status = status;
    frame.classList.toggle("is-old", old && status !== "connecting");
    const words = { connecting: old ? "reconnecting" : "connecting", failed: "offline", stale: paused ? "paused" : "stale" };
    setText(this.#state, word ?? words[status] ?? status);
    const time = position === null ? "" : `${old ? "as of " : ""}${clock(timestamp)}`;
    setText(this.#where, [time, (old || time === "") && reason && !paused ? reason : ""].filter(Boolean).join(" · "));
    this.element.title = position === null ? "" : `position ${position}, ${number(size)} rows`;
  }
}

// The list of all views: what there is, how many rows, how late, who listens, and how to read it elsewhere.
import { arrange, copyButton, el, setText } from "./dom.js";
import { pathOf } from "./routes.js";
import { clock, milliseconds, number, timestampOf, toInstant } from "./values.js";

const COLUMNS = ["View", "Rows", "Subscribers", "Upstream", "Lag", "As of", "Read it"];
const NUMBERS = new Set(["Rows", "Subscribers", "Lag"]);

export class Catalog {
  #lines = new Map();
  #body = el("tbody");
  element = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Views and where they stand" },
    el("table", {}, el("thead", {}, el("tr", {}, ...COLUMNS.map((name) =>
      el("th", { scope: "col", class: NUMBERS.has(name) ? "number" : null }, name)))), this.#body));

  /** Shows the views as `/views` gave them at the gateway's time `now`, in ms. */
  draw(views, now) {
    const lines = new Map(views.map((view) => [view.name, this.#lines.get(view.name) ?? this.#line(view)]));
    arrange(this.#body, [...lines.values()].map(({ node }) => node));
    this.#lines = lines;
    for (const view of views) this.#update(lines.get(view.name), view, now);
  }

  #line({ name, stream }) {
    const [rows, subscribers, lag] = [0, 1, 2].map(() => el("td", { class: "number" }));
    const time = el("td");
    const state = el("span", { class: "status" });
    const reason = el("small");
    const command = `curl -N ${new URL(stream, location.href).href}`;
    const node = el("tr", {}, el("th", { scope: "row" }, el("a", { href: pathOf(name) }, name)), rows, subscribers, el("td", {}, state, reason), lag, time,
      el("td", { class: "curl" }, el("code", {}, command), copyButton(`Copy the curl command for ${name}`, () => command)));
    return { node, rows, subscribers, lag, state, reason, time };
  }

  #update(line, view, now) {
    setText(line.rows, view.position ? number(view.rows) : "–");
    setText(line.subscribers, number(view.subscribers));
    setText(line.state, view.upstream);
    line.state.dataset.status = { live: "live", complete: "live", loading: "connecting", gone: "gone" }[view.upstream] ?? "stale";
    setText(line.reason, view.reason ? ` ${view.reason}` : "");
    line.reason.title = view.reason ? `since ${view.since}` : "";
    const timestamp = timestampOf(view.position);
    const instant = toInstant(timestamp);
    setText(line.lag, instant === null ? "–" : milliseconds(Math.max(0, now - instant)));
    setText(line.time, clock(timestamp));
    line.time.title = view.position ?? "";
  }
}

// The list of all views: what there is, how many rows, who listens, and how to read it elsewhere.
import { arrange, el, setText } from "./dom.js";
import { clock, number } from "./values.js";

const timestampOf = (position) => (/^\d+/.test(position ?? "") ? BigInt(/^\d+/.exec(position)[0]) : null);

export class Catalog {
  #lines = new Map();
  #body = el("tbody");
  #choose;
  element = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All views" },
    el("table", {}, el("thead", {}, el("tr", {}, ...["View", "Rows", "Subscribers", "Upstream", "As of", "Read it"].map((name, at) =>
      el("th", { scope: "col", class: at === 1 || at === 2 ? "number" : null }, name)))), this.#body));

  /** `choose(name)` is called when the reader wants to see a view. */
  constructor(choose) {
    this.#choose = choose;
  }

  draw(views, shown) {
    const lines = new Map(views.map((view) => [view.name, this.#lines.get(view.name) ?? this.#line(view)]));
    arrange(this.#body, [...lines.values()].map(({ node }) => node));
    this.#lines = lines;
    for (const view of views) this.#update(lines.get(view.name), view, shown.has(view.name));
  }

  #line({ name, stream }) {
    const button = el("button", { type: "button", onclick: () => this.#choose(name) }, name);
    const [rows, subscribers, time] = [el("td", { class: "number" }), el("td", { class: "number" }), el("td")];
    const state = el("span", { class: "status" });
    const curl = el("code", {}, `curl -N ${new URL(stream, location.href).href}`);
    const node = el("tr", {}, el("th", { scope: "row" }, button), rows, subscribers, el("td", {}, state), time, el("td", { class: "curl" }, curl));
    return { node, button, rows, subscribers, state, time };
  }

  #update(line, view, isShown) {
    line.button.setAttribute("aria-pressed", String(isShown));
    setText(line.rows, number(view.rows));
    setText(line.subscribers, number(view.subscribers));
    setText(line.state, view.upstream);
    line.state.dataset.status = { live: "live", complete: "live", loading: "connecting", gone: "gone" }[view.upstream] ?? "stale";
    setText(line.time, clock(timestampOf(view.position)));
    line.time.title = view.position ?? "";
  }
}

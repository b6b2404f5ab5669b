// Rows in order of a number, as lines that glide when their ranks change.
import { arrange, el, glide, setText } from "./dom.js";
import { number, toNumber } from "./values.js";

/** Lines shown at most. */
const LINES_MAX = 10;
/** A line that nothing happens to has cooled down after this, in ms. */
const COOL_MS = 45_000;
const LEAVE_MS = 500;

export class Ranking {
  #options;
  #lines = new Map();
  #list = el("ol", { class: "ranking" });
  #rest = el("p", { class: "rest" });
  element = el("div", { class: "ranking-box" }, this.#list, this.#rest);

  /**
   * `key` names the columns of a line's identity, `order` those that rank it, `label(row)` and `value(row)` what it
   * says; with `fades`, a line's bar pales while its row stays the same.
   */
  constructor(options) {
    this.#options = options;
  }

  draw(stream) {
    const { key, order, value } = this.#options;
    const keyOf = (row) => JSON.stringify(key.map((name) => row[name]));
    const ranked = stream.rows().map((row) => ({ row, key: keyOf(row) }));
    // Ties are broken by the key, so that equal ones do not change places.
    ranked.sort((a, b) => order.reduce((sign, name) => sign || toNumber(b.row[name]) - toNumber(a.row[name]), 0) || (a.key < b.key ? -1 : 1));
    const top = ranked.slice(0, LINES_MAX);
    const most = Math.max(1, ...top.map(({ row }) => toNumber(row[value])));
    const first = this.#lines.size === 0;
    const before = new Map([...this.#lines].map(([name, { node }]) => [name, node.getBoundingClientRect().top]));
    const kept = new Set(top.map(({ key: name }) => name));
    for (const [name, { node }] of this.#lines) if (!kept.has(name)) this.#leave(node);
    const lines = new Map(top.map(({ row, key: name }) => [name, this.#lines.get(name) ?? this.#line(row)]));
    arrange(this.#list, [...lines.values()].map(({ node }) => node));
    this.#lines = lines;
    for (const { row, key: name } of top) this.#update(lines.get(name), row, toNumber(row[value]) / most);
    for (const [name, { node }] of lines) {
      const from = before.get(name);
      const by = from === undefined ? 0 : from - node.getBoundingClientRect().top;
      if (Math.abs(by) > 1) glide(node, { transform: `translateY(${by}px)` }, { transform: "none" });
      else if (from === undefined && !first) glide(node, { opacity: 0, transform: "translateX(-12px)" }, { opacity: 1, transform: "none" });
    }
    const hidden = ranked.length - top.length;
    setText(this.#rest, hidden > 0 ? `and ${number(hidden)} more` : "");
  }

  /** A line that goes fades where it stood, over those that move up. */
  #leave(node) {
    const ghost = node.cloneNode(true);
    ghost.setAttribute("aria-hidden", "true");
    ghost.classList.add("leaving");
    ghost.style.top = `${node.offsetTop}px`;
    this.element.append(ghost);
    const fading = glide(ghost, { opacity: 1 }, { opacity: 0, transform: "translateX(16px)" }, LEAVE_MS);
    if (fading === null) ghost.remove();
    else fading.onfinish = () => ghost.remove();
  }

  #line(row) {
    const parts = {
      label: el("span", { class: "label" }),
      detail: el("span", { class: "detail" }),
      value: el("span", { class: "value" }),
      bar: el("span", { class: "bar", "aria-hidden": "true" }),
      share: 0,
    };
    const label = this.#options.label(row);
    setText(parts.label, label);
    parts.label.title = label;
    return { ...parts, node: el("li", {}, parts.bar, parts.label, parts.detail, parts.value) };
  }

  #update(line, row, share) {
    const { value, unit, detail = () => "", fades = false } = this.#options;
    setText(line.detail, detail(row));
    const text = number(row[value]);
    if (line.value.firstChild?.textContent !== text) {
      const known = line.value.firstChild !== null;
      line.value.replaceChildren(text, el("span", { class: "unit" }, ` ${unit}`));
      if (fades) {
        line.cooling?.cancel();
        line.cooling = glide(line.bar, { opacity: 1 }, { opacity: 0.35 }, COOL_MS);
        if (line.cooling !== null) line.cooling.onfinish = () => (line.bar.style.opacity = 0.35);
        line.bar.style.opacity = "";
      }
      if (known) glide(line.value, { color: "var(--accent)" }, { color: "var(--text)" }, 1200);
    }
    if (line.share !== share) {
      line.bar.style.transform = `scaleX(${share})`;
      glide(line.bar, { transform: `scaleX(${line.share})` }, { transform: `scaleX(${share})` });
      line.share = share;
    }
  }
}

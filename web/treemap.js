// Rows as areas, grouped: a squarified treemap of groups, and of members inside each.
import { arrange, el, setText } from "./dom.js";
import { bytes, compact, number, toNumber } from "./values.js";

/** Families with a colour of their own, .hue-0 to .hue-8 in style.css; all others have .hue-9. */
const FAMILIES = ["Germanic", "Austroasiatic", "Romance", "Slavic", "Sinitic", "Koreanic", "Japonic", "Semitic", "Uralic"];
const hueOf = (family) => (FAMILIES.includes(family) ? FAMILIES.indexOf(family) : FAMILIES.length);
/** A member with less than this share of all has no tile of its own. */
const SHARE_MIN = 0.004;

/** How far from square the worst tile of a row is; 1 is square. */
function worst(row, side, sum) {
  const most = row[0].area;
  const least = row.at(-1).area;
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}

/** Lays items ({weight}, largest first) out in a box and gives [{item, x, y, width, height}]. */
function squarify(items, { x, y, width, height }) {
  const total = items.reduce((sum, { weight }) => sum + weight, 0);
  const scale = total > 0 ? (width * height) / total : 0;
  const rest = items.map((item) => ({ item, area: item.weight * scale }));
  const placed = [];
  while (rest.length > 0) {
    const side = Math.min(width, height);
    const row = [rest.shift()];
    let sum = row[0].area;
    while (rest.length > 0 && worst([...row, rest[0]], side, sum + rest[0].area) <= worst(row, side, sum)) {
      sum += rest[0].area;
      row.push(rest.shift());
    }
    const depth = side > 0 ? sum / side : 0;
    let at = 0;
    for (const { item, area } of row) {
      const length = depth > 0 ? area / depth : 0;
      placed.push(width >= height ? { item, x, y: y + at, width: depth, height: length } : { item, x: x + at, y, width: length, height: depth });
      at += length;
    }
    if (width >= height) [x, width] = [x + depth, width - depth];
    else [y, height] = [y + depth, height - depth];
  }
  return placed;
}

export class Treemap {
  #tiles = new Map();
  #map = el("ul", { class: "treemap" });
  #legend = el("ul", { class: "legend", "aria-hidden": "true" });
  #stream = null;
  #observer = new ResizeObserver(() => this.#stream && this.#layOut());
  element = el("div", { class: "treemap-box" }, this.#map, this.#legend);

  constructor() {
    this.#observer.observe(this.#map);
  }

  close() {
    this.#observer.disconnect();
  }

  draw(stream) {
    this.#stream = stream;
    this.#layOut();
  }

  #layOut() {
    const { clientWidth: width, clientHeight: height } = this.#map;
    if (width === 0 || height === 0) return;
    const groups = this.#groups();
    const tiles = squarify(groups, { x: 0, y: 0, width, height }).flatMap(({ item, ...box }) => squarify(item.members, box));
    const seen = new Map();
    for (const { item, ...box } of tiles) {
      const tile = this.#tiles.get(item.name) ?? this.#tile();
      this.#place(tile, item, box);
      seen.set(item.name, tile);
    }
    arrange(this.#map, [...seen.values()].map(({ node }) => node));
    this.#tiles = seen;
    this.#showLegend(groups);
  }

  /** Families of languages, largest first, each with its languages, largest first; what is too small to see as one. */
  #groups() {
    const groups = new Map();
    const rows = this.#stream.rows().filter((row) => toNumber(row.edits) > 0);
    const least = SHARE_MIN * rows.reduce((sum, row) => sum + toNumber(row.edits), 0);
    const small = rows.filter((row) => toNumber(row.edits) < least);
    const merged = small.length < 2 ? [] : [{ language: "other", of: small.length, family: "other", edits: small.reduce((sum, row) => sum + toNumber(row.edits), 0) }];
    for (const row of [...rows.filter((each) => merged.length === 0 || !small.includes(each)), ...merged]) {
      const weight = toNumber(row.edits);
      const family = String(row.family ?? "other");
      const group = groups.get(family) ?? { name: family, weight: 0, members: [] };
      group.weight += weight;
      group.members.push({ name: `${family}/${row.language}`, weight, row });
      groups.set(family, group);
    }
    const byWeight = (a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1);
    for (const group of groups.values()) group.members.sort(byWeight);
    return [...groups.values()].sort(byWeight);
  }

  #tile() {
    const label = el("span", { class: "label" });
    const value = el("span", { class: "value" });
    const more = el("span", { class: "hidden-visually" });
    return { label, value, more, node: el("li", {}, label, value, more) };
  }

  #place({ node, label, value, more }, { row }, { x, y, width, height }) {
    const language = String(row.language);
    setText(label, language);
    setText(value, compact(row.edits));
    const size = row.bytes === undefined ? "" : `, ${bytes(row.bytes)}`;
    const family = row.of === undefined ? row.family : `${number(row.of)} languages`;
    setText(more, ` ${number(row.edits)} edits, ${family}${size}`);
    node.title = `${language} (${family}): ${number(row.edits)} edits${size}`;
    const room = width < 40 || height < 20 ? "none" : height < 40 ? "label" : width > 120 && height > 80 ? "large" : "both";
    node.className = `hue-${hueOf(String(row.family ?? "other"))} room-${room}`;
    node.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    node.style.width = `${Math.max(0, width - 2).toFixed(1)}px`;
    node.style.height = `${Math.max(0, height - 2).toFixed(1)}px`;
  }

  #showLegend(groups) {
    const own = groups.map(({ name }) => [name, hueOf(name)]).filter(([, hue]) => hue < FAMILIES.length);
    const entries = own.length < groups.length ? [...own, ["other", FAMILIES.length]] : own;
    if (this.#legend.dataset.entries === entries.join()) return;
    this.#legend.dataset.entries = entries.join();
    this.#legend.replaceChildren(...entries.map(([name, hue]) => el("li", { class: `hue-${hue}` }, name)));
  }
}

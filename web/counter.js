// One row of totals: its first number as rolling digits, the rest below, and the pace of the last minute.
import { el, setText, svg } from "./dom.js";
import { bytes, decimal, number, toInstant, toNumber } from "./values.js";

const PACE_SECONDS = 60;
const PACE_HEIGHT = 36;

/** A number whose digits roll to their place. */
class Roller {
  #digits = el("span", { class: "digits", "aria-hidden": "true" });
  #spoken = el("span", { class: "hidden-visually" });
  #cells = [];
  #glyphs = Array.from({ length: 10 }, (_, digit) => number(digit));
  element = el("p", { class: "roller" }, this.#digits, this.#spoken);

  set(value) {
    const text = number(value);
    setText(this.#spoken, text);
    // Places are kept from the right: the ones stay the ones when a digit is added.
    const glyphs = [...text].reverse();
    glyphs.forEach((glyph, place) => this.#place(place, glyph));
    for (const { node } of this.#cells.splice(glyphs.length)) node.remove();
  }

  #place(place, glyph) {
    const digit = this.#glyphs.indexOf(glyph);
    let at = this.#cells[place];
    if (at === undefined || at.isDigit !== digit >= 0) {
      at?.node.remove();
      at = { isDigit: digit >= 0, node: el("span", { class: digit >= 0 ? "digit" : "mark" }), strip: null };
      if (at.isDigit) at.node.append((at.strip = el("span", { class: "strip" }, ...this.#glyphs.map((each) => el("span", {}, each)))));
      const right = this.#cells[place - 1]?.node ?? null;
      this.#digits.insertBefore(at.node, right);
      this.#cells[place] = at;
    }
    if (at.isDigit) at.strip.style.transform = `translateY(${-digit * 10}%)`;
    else setText(at.node, glyph);
  }
}

export class Counter {
  #roller = new Roller();
  #others = el("dl", { class: "totals" });
  #pace = svg("svg", { class: "pace", viewBox: `0 0 ${PACE_SECONDS * 4} ${PACE_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  #bars = [];
  #rate = el("p", { class: "rate" });
  /** {at, value} of each change, for the pace. */
  #samples = [];
  element = el("div", { class: "counter" }, this.#roller.element, this.#rate, this.#pace, this.#others);

  constructor() {
    for (let n = 0; n < PACE_SECONDS; n += 1) {
      const bar = svg("rect", { x: n * 4, width: 3, y: PACE_HEIGHT, height: 0, rx: 1 });
      this.#bars.push(bar);
      this.#pace.append(bar);
    }
  }

  draw(stream) {
    const [row] = stream.rows();
    if (row === undefined) return;
    this.#roller.set(row.edits);
    for (const name of ["editors", "bytes"]) this.#total(name, row[name]);
    this.#sample(toInstant(stream.timestamp) ?? Date.now(), toNumber(row.edits));
  }

  /** What is old has no pace. */
  setOld(isOld) {
    if (isOld) setText(this.#rate, "");
  }

  #total(name, value) {
    let node = this.#others.querySelector(`[data-name="${name}"]`);
    if (value === undefined || value === null) return node?.remove();
    if (node === null) {
      node = el("div", { "data-name": name }, el("dt", {}, name), el("dd"));
      this.#others.append(node);
    }
    setText(node.lastChild, name === "bytes" ? bytes(value) : number(value));
  }

  #sample(at, value) {
    if (this.#samples.at(-1)?.at === at) this.#samples.pop();
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && this.#samples[1].at < at - PACE_SECONDS * 1000) this.#samples.shift();
    const recent = this.#samples.findLast((sample) => sample.at <= at - 10_000) ?? this.#samples[0];
    if (at > recent.at) setText(this.#rate, `${decimal(((value - recent.value) / (at - recent.at)) * 1000)} edits per second`);
    const seconds = new Array(PACE_SECONDS).fill(0);
    this.#samples.forEach((sample, index) => {
      const before = this.#samples[index - 1];
      if (!before) return;
      // What came at once after a silence is of all its seconds, not of the last one.
      const slotOf = (time) => PACE_SECONDS - 1 - Math.round((at - time) / 1000);
      const [first, last] = [Math.min(slotOf(before.at) + 1, slotOf(sample.at)), slotOf(sample.at)];
      const each = Math.max(0, sample.value - before.value) / (last - first + 1);
      for (let slot = Math.max(0, first); slot <= last; slot += 1) seconds[slot] += each;
    });
    const most = Math.max(1, ...seconds);
    seconds.forEach((count, index) => {
      const height = (count / most) * PACE_HEIGHT;
      this.#bars[index].setAttribute("height", height);
      this.#bars[index].setAttribute("y", PACE_HEIGHT - height);
    });
  }
}

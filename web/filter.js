// The box that asks the gateway for some of a view's rows: a field for each column that may be named.
import { el, setText } from "./dom.js";
import { parameterOf } from "./viewcast.js";

/** A text that begins so is a condition as the query spells it; any other is a value to compare with. */
const CONDITION = /^(not\.)?(eq|in|is)\./;

const decode = (text) => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
};

/** The parts of a query: as they stand there, their names and their values. */
const partsOf = (query) => query.split("&").filter(Boolean).map((part) => {
  const [name, ...rest] = part.split("=");
  return { part, name: decode(name), value: decode(rest.join("=")) };
});

export class FilterBox {
  #fields;
  #said = el("p", { class: "said", id: "filter-said", role: "status" });
  #rest = [];
  element;

  /** `onAsk` is told the query of what the reader asks for. */
  constructor(columns, onAsk) {
    this.#fields = columns.map((name) => ({
      name,
      input: el("input", { type: "text", placeholder: "any", spellcheck: "false", autocomplete: "off", autocapitalize: "none", "aria-describedby": "filter-help filter-said" }),
    }));
    const clear = () => {
      this.#rest = [];
      for (const { input } of this.#fields) input.value = "";
      onAsk("");
    };
    this.element = el("form", { class: "ask", "aria-label": "Filter at the gateway", onsubmit: (event) => {
      event.preventDefault();
      onAsk(this.#query());
    } },
      ...this.#fields.map(({ name, input }) => el("label", {}, el("code", {}, name), input)),
      el("button", { type: "submit", class: "quiet" }, "Ask the gateway"),
      el("button", { type: "button", class: "quiet", onclick: clear }, "All rows"),
      el("p", { class: "help", id: "filter-help" }, "A value, or ", el("code", {}, "in.(a,b)"), ", ", el("code", {}, "is.null"), ", ", el("code", {}, "not.eq.a"), ". Only rows that match are sent."),
      this.#said);
  }

  /** Shows what an address asks for. */
  show(query) {
    const parts = partsOf(query);
    for (const { name, input } of this.#fields) {
      const at = parts.findIndex((part) => part.name === name || part.name === `column.${name}`);
      const [found] = at < 0 ? [] : parts.splice(at, 1);
      const value = found?.value ?? "";
      const plain = value.startsWith("eq.") && value !== "eq." && !CONDITION.test(value.slice(3)) ? value.slice(3) : value;
      if (input.value !== plain) input.value = plain;
    }
    // Columns to show, and whatever the gateway has yet to judge.
    this.#rest = parts.map(({ part }) => part);
    this.say("");
  }

  /** What the gateway says of the filter, or "". */
  say(words) {
    setText(this.#said, words);
    for (const { input } of this.#fields) input.setAttribute("aria-invalid", String(words !== ""));
  }

  #query() {
    const asked = this.#fields.filter(({ input }) => input.value !== "").map(({ name, input: { value } }) =>
      [parameterOf(name), CONDITION.test(value) ? value : `eq.${value}`].map(encodeURIComponent).join("="));
    return [...asked, ...this.#rest].join("&");
  }
}

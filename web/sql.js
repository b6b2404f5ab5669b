// The SQL that a view is computed by, beside its rows.
import { copyButton, el } from "./dom.js";

/** What is no keyword whatever it holds, and the keywords. */
const PARTS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\b(?:CREATE|OR|REPLACE|MATERIALIZED|VIEW|IN|CLUSTER|WITH|AS|SELECT|DISTINCT|ON|FROM|JOIN|LEFT|RIGHT|FULL|INNER|OUTER|CROSS|LATERAL|USING|WHERE|AND|NOT|NULL|IS|LIKE|BETWEEN|EXISTS|CASE|WHEN|THEN|ELSE|END|GROUP|BY|HAVING|ORDER|ASC|DESC|LIMIT|OFFSET|UNION|ALL|EXCEPT|INTERSECT|VALUES)\b/g;

export class Sql {
  #code = el("code");
  element = el("section", { class: "sql", id: "sql", "aria-label": "What the view is computed by" },
    el("div", { class: "wire-tools" }, el("h3", {}, "SQL"), copyButton("Copy the SQL", () => this.#code.textContent)),
    el("pre", { class: "scroll", tabindex: "0", role: "region", "aria-label": "SQL" }, this.#code));

  /** Shows a text; keywords stand out. */
  show(text) {
    if (this.#code.textContent === text) return;
    let end = 0;
    const parts = [];
    for (const { 0: part, index } of text.matchAll(PARTS)) {
      parts.push(text.slice(end, index), /^['"-]/.test(part) ? part : el("b", {}, part));
      end = index + part.length;
    }
    this.#code.replaceChildren(...parts, text.slice(end));
  }
}

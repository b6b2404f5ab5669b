// Elements without markup: whatever comes from a view becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** An HTML element; `on<event>` attributes become listeners. */
export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets an element's text, touching the document only if it differs. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Where something will be: bars of no meaning, as many as it will have about. */
export const skeleton = (bars) => el("div", { class: "skeleton" }, el("p", { class: "hidden-visually" }, "Waiting for the first rows…"), ...Array.from({ length: bars }, () => el("span")));

/** Tells those who listen instead of look. */
export const announce = (text) => setText(document.getElementById("announcement"), text);

/** Puts a text on the clipboard; where a page may not (plain http), as people did before there was a way. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "hidden-visually", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copying is not allowed here");
  }
}

/** A button that copies what `read` gives, and says so. */
export function copyButton(label, read) {
  const short = label.startsWith("Copy as") ? label : "Copy";
  const button = el("button", { type: "button", class: "quiet copy", "aria-label": short === label ? null : label, onclick: async () => {
    const said = await copy(read()).then(() => "Copied", () => "Not allowed");
    setText(button, said);
    announce(said);
    setTimeout(() => setText(button, short), 1_500);
  } }, short);
  return button;
}

/** Makes `nodes` the children of `parent`, moving only what has to move. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
}

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Plays from one set of styles to another, unless the reader asked for less motion. */
export function glide(node, from, to, duration = 600) {
  if (reducedMotion.matches || document.hidden) return null;
  return node.animate([from, to], { duration, easing: "cubic-bezier(.2,.7,.2,1)" });
}

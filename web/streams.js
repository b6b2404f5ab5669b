// Which panels have a connection.
//
// Over HTTP/1.1 a browser opens at most six connections to one host, for all
// its tabs together: a seventh request would wait for ever. Tabs that show the
// same view share its connection, but may show different ones. So at most five
// panels stream at once, one connection is left for everything else, and a
// page that nobody looks at lets go of all.

/** Streams at once. */
export const STREAMS_MAX = 5;
/** A hidden page keeps its streams this long, for a quick look elsewhere, in ms. */
const HIDDEN_MS = 5_000;
/** Scrolling past a panel for less than this opens no stream, in ms. */
const SETTLE_MS = 200;

export class Streams {
  #panels = [];
  /** The one panel that may stream while it has the page to itself, or null. */
  #only = null;
  #touches = 0;
  #hidden = false;
  #timer = null;
  #hiddenTimer = null;
  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const entry = this.#panels.find(({ panel }) => panel.element === target);
      if (entry !== undefined) entry.inView = isIntersecting;
    }
    this.#settle();
  }, { rootMargin: "80px" });

  constructor() {
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#hiddenTimer);
      if (document.hidden) this.#hiddenTimer = setTimeout(() => this.#setHidden(true), HIDDEN_MS);
      else this.#setHidden(false);
    });
  }

  /** Takes a panel in; it streams when it is in view and there is room. */
  add(panel) {
    this.#panels.push({ panel, inView: false, touched: 0 });
    this.#observer.observe(panel.element);
  }

  /** The reader chose this panel: it comes before all others in view. */
  touch(panel) {
    const entry = this.#panels.find((each) => each.panel === panel);
    if (entry !== undefined) entry.touched = this.#touches += 1;
    this.#settle();
  }

  /** Gives the page to one panel, or back to all. */
  only(panel) {
    this.#only = panel;
    this.#assign();
  }

  #setHidden(hidden) {
    this.#hidden = hidden;
    this.#assign();
  }

  #settle() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#assign(), SETTLE_MS);
  }

  /** In view first, then last chosen, then in the page's order; who streams already stays if there is room. */
  #assign() {
    const order = [...this.#panels].sort(
      (a, b) => b.inView - a.inView || b.touched - a.touched || b.panel.isStreaming - a.panel.isStreaming,
    );
    const room = this.#hidden || this.#only !== null ? 0 : STREAMS_MAX;
    order.slice(room).forEach(({ panel }) => panel.pause());
    order.slice(0, room).forEach(({ panel, inView }) => inView && panel.start());
    if (this.#hidden) this.#only?.pause();
    else this.#only?.start();
  }
}

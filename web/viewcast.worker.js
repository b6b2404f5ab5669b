/**
 * What runs in a SharedWorker for the option `shared`: one stream, and the tabs that follow it.
 *
 * A tab says what it asks for ({url, withCredentials, token, kept}), answers "token" with a new one, and says null
 * when it leaves. It is told "here" at once, what came over the wire as it came, and in "held" where the stream stands.
 */
import { ViewStream, WIRE, eventOf } from "./viewcast.core.js";

class Hub {
  static all = new Map();
  /** Tabs that have a base, and that wait for one. */
  #served = new Set(); #waiting = new Set();
  /** What came since several views stood at one time: a tab that comes now needs it, too. */
  #since = [];
  #key; #names; #view; #answered = null;

  static join(port, { kept, ...asked }) {
    const key = JSON.stringify(asked);
    const hub = Hub.all.get(key) ?? new Hub(key, asked, kept);
    hub.#waiting.add(port);
    hub.#post([port], "held", hub.#view);
    hub.#serve();
    return hub;
  }

  constructor(key, { url, withCredentials, token }, kept) {
    this.#key = key;
    this.#names = new URL(url).searchParams.getAll("view");
    // Tokens expire: once it was tried, the tabs are asked for another one.
    let first = token;
    const ask = () => first ?? new Promise((resolve) => {
      this.#answered = resolve;
      this.#toAll("token");
    });
    // It goes on from the rows that the first tab has kept.
    const persist = kept && { keep: async () => kept };
    this.#view = new ViewStream(url, { withCredentials, token: token && ask, persist });
    this.#view.addEventListener("wire", ({ detail: { type, ...fields } }) => {
      this.#post(this.#served, type, fields);
      this.#since.push([type, fields]);
      // Once it is taken in.
      queueMicrotask(() => this.#serve());
    });
    this.#view.addEventListener("open", () => {
      [this.#since, first] = [[], null];
      this.#post(this.#served, "open");
    });
    // What came before is in what the views hold.
    this.#view.addEventListener(WIRE.consistent, () => (this.#since = []));
    this.#view.addEventListener("status", () => {
      if (this.#view.error) first = null;
      this.#toAll("held", this.#view);
    });
    // Also those that were kept. Once all that waited for the base is taken in.
    this.#view.addEventListener("base", () => queueMicrotask(() => this.#serve()));
    Hub.all.set(key, this);
  }

  answer(token) { this.#answered?.(token); }

  leave(port) {
    this.#served.delete(port);
    this.#waiting.delete(port);
    if (this.#served.size + this.#waiting.size > 0) return;
    this.#view.close();
    Hub.all.delete(this.#key);
  }

  #post(ports, type, fields) {
    const message = [type, type === "held" ? { status: fields.status, reason: fields.reason, error: fields.error } : fields];
    for (const port of ports) port.postMessage(message);
  }

  #toAll(type, fields) { this.#post([...this.#served, ...this.#waiting], type, fields); }

  /** Brings those who wait to where the others are. */
  #serve() {
    if (this.#waiting.size === 0) return;
    const events = this.#names.length > 0 ? this.#standing() : this.#view.json() && [[WIRE.base, { data: this.#view.json(), lastEventId: this.#view.position }]];
    if (!events) return;
    for (const [type, fields] of events) this.#post(this.#waiting, type, fields);
    for (const port of this.#waiting) this.#served.add(port);
    this.#waiting.clear();
  }

  /** Several views as they stood when they last stood at one time, and what has come since. */
  #standing() {
    const { position, timestamp } = this.#view;
    if (position === null) return null;
    const views = this.#names.map((name) => [name, this.#view.view(name)]);
    if (views.some(([, view]) => view.status !== "gone" && view.json() === null)) return null;
    const events = views.map(([name, view]) => (view.status === "gone"
      ? [eventOf(name, WIRE.gone), { data: JSON.stringify({ reason: view.reason }) }]
      : [eventOf(name, WIRE.base), { data: view.json() }]));
    return [...events, [WIRE.consistent, { data: JSON.stringify({ [WIRE.position]: String(timestamp) }), lastEventId: position }], ...this.#since];
  }
}

globalThis.onconnect = ({ ports: [port] }) => {
  let hub = null;
  const leave = () => { hub?.leave(port); hub = null; };
  port.onmessage = ({ data }) => {
    if (data === null) leave();
    else if (data.url) hub = Hub.join(port, data);
    else hub?.answer(data.token);
  };
  port.onclose = leave;
  port.postMessage(["here"]);
};

// What the client module's tests share: an EventSource whose server is the test.
import { ViewStream } from "../../web/viewcast.js";

/** An EventSource whose server is the test. */
export class FakeEventSource extends EventTarget {
  static opened = [];
  readyState = 0;
  constructor(url, init) {
    super();
    Object.assign(this, { url, init });
    FakeEventSource.opened.push(this);
  }
  close() {
    this.readyState = 2;
  }
  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }
  /** The connection broke: `forGood` after a wrong answer, else it is tried again. */
  fail(forGood = false) {
    this.readyState = forGood ? 2 : 0;
    this.dispatchEvent(new Event("error"));
  }
  send(type, id, data) {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    this.dispatchEvent(Object.assign(new Event(type), { lastEventId: id, data: text }));
  }
}
/** The connection opened last. */
export const latest = () => FakeEventSource.opened.at(-1);

/** A stream on an open connection; `of(type)` gives the details of its events so far. */
export function start(options = {}) {
  const view = new ViewStream("http://gateway/v/stream", { EventSource: FakeEventSource, ...options });
  const log = [];
  for (const type of ["base", "change", "status", "error", "heartbeat"]) {
    view.addEventListener(type, (event) => log.push([type, event.detail]));
  }
  latest().open();
  return { view, log, of: (type) => log.filter(([name]) => name === type).map(([, detail]) => detail) };
}

export const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort();

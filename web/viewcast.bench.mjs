// node web/viewcast.bench.mjs [rows]
// What reading and changing a view costs: 100,000 rows, the first ten of which are shown. Prints, and asserts nothing:
// a time is no test.
import { ViewStream } from "./viewcast.js";

const ROWS = Number(process.argv[2] ?? 100_000);
const LIMIT = 10;
const READS = 1_000;

class Source extends EventTarget {
  static last;
  readyState = 1;
  constructor() { super(); Source.last = this; }
  close() {}
  send(type, lastEventId, data) { this.dispatchEvent(Object.assign(new Event(type), { lastEventId, data: JSON.stringify(data) })); }
}

const row = (id, n) => ({ id, name: `row ${id}`, n });
const random = (() => { let state = 7; return (below) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below; })();

/** Milliseconds of each call: the median and the longest. */
function measure(what, times, call) {
  const spent = [];
  for (let n = 0; n < times; n += 1) {
    const from = performance.now();
    call(n);
    spent.push(performance.now() - from);
  }
  spent.sort((a, b) => a - b);
  const ms = (value) => value.toFixed(4).padStart(10);
  console.log(`${what.padEnd(48)}${ms(spent[times >> 1])} ms, at most${ms(spent.at(-1))} ms`);
}

console.log(`${ROWS} rows, limit ${LIMIT}, Node ${process.version}`);
const view = new ViewStream("http://gateway/v/stream", { EventSource: Source, key: "id", sort: (a, b) => b.n - a.n, limit: LIMIT });
const rows = Array.from({ length: ROWS }, (_, id) => row(id, random(1_000_000)));
measure("first base", 1, () => Source.last.send("base", "1-a", rows));
measure("first read, which orders all rows", 1, () => view.rows());
let time = 1;
const change = () => {
  const at = random(ROWS);
  const after = row(at, random(1_000_000));
  Source.last.send("delta", `${(time += 1)}-a`, [{ delete: rows[at] }, { insert: after }]);
  rows[at] = after;
};
measure("a change of one row", READS, change);
for (let n = 0; n < 100; n += 1) change();
measure("read again", READS, () => view.rows());
const pairs = [];
measure("a change and a read", READS, () => { change(); pairs.push(view.rows()); });
// The read alone, after a change.
const reads = [];
for (let n = 0; n < READS; n += 1) {
  change();
  const from = performance.now();
  view.rows();
  reads.push(performance.now() - from);
}
reads.sort((a, b) => a - b);
console.log(`${"read after a change".padEnd(48)}${reads[READS >> 1].toFixed(4).padStart(10)} ms, at most${reads.at(-1).toFixed(4).padStart(10)} ms`);
view.get(1);
measure("get(key)", READS, (n) => view.get(n));
measure("a change of one row, found by key", READS, change);
measure("a second base of the same rows", 1, () => Source.last.send("base", `${(time += 1)}-a`, rows));
view.close();

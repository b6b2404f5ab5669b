// Compiled, never run, by web/package.test.js: what the types allow and refuse.
import { ViewStream, WIRE, parameterOf, type Change, type Failure, type Row, type SeveralViews, type Snapshot, type Status, type Update, type ViewStreamOptions } from "viewcast";
import { forget } from "viewcast/persist";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

interface Top {
  user: string | null;
  count: number;
}

const view = new ViewStream<Top>("/top10/stream", { key: "user", sort: (a, b) => b.count - a.count, limit: 10 });
new ViewStream<Top>(new URL("https://x/top10/stream"), { key: ["user", "count"], token: "t", shared: true, withCredentials: true });
new ViewStream("/v/stream", { token: async () => "t", staleAfterMs: 1_000, EventSource, signal: new AbortController().signal });
new ViewStream("/v/stream", { worker: () => new SharedWorker(new URL("viewcast/worker", import.meta.url), { type: "module" }), batch: "frame" });
new ViewStream("/v/stream", { connect: "lazy", persist: "indexeddb", token: undefined, limit: undefined, filter: undefined });
new ViewStream("/v/stream", { persist: { get: async () => undefined, set(key, { rows, position }) { localStorage.setItem(key, rows + position); } } });
same<ReturnType<typeof forget>, Promise<void>>(true);
const untyped = new ViewStream("/v/stream");

same<ReturnType<typeof view.rows>, Top[]>(true);
same<ReturnType<typeof untyped.rows>, Row[]>(true);
same<typeof view.size, number>(true);
same<typeof view.position, string | null>(true);
same<typeof view.timestamp, bigint | null>(true);
same<typeof view.status, Status>(true);
same<ReturnType<typeof view.json>, string | null>(true);
for (const [row, copies] of view.entries()) same<[typeof row, typeof copies], [Top, number]>(true);

view.addEventListener("base", ({ detail }) => same<typeof detail.size, number>(true));
view.addEventListener("base", ({ detail }) => same<typeof detail.inserted, Top[]>(true));
view.addEventListener("change", ({ detail }) => {
  same<typeof detail, Change<Top>>(true);
  same<typeof detail.inserted, Top[]>(true);
  for (const update of detail.updated ?? []) same<typeof update, Update<Top>>(true);
});
view.addEventListener("status", ({ detail }) => same<typeof detail.status, Status>(true), { once: true });
view.addEventListener("wire", ({ detail }) => same<typeof detail.data, string>(true));
const onStatus = ({ detail }: { detail: { error: Failure | null } }): void => void detail;
view.addEventListener("status", onStatus);
view.removeEventListener("status", onStatus);
same<ReturnType<typeof view.snapshot>, Snapshot<Top>>(true);
const leave = view.subscribe(({ rows, error }) => same<[typeof rows, typeof error], [readonly Top[], Failure | null]>(true));
same<typeof leave, () => void>(true);
same<ReturnType<typeof view.get>, Top | undefined>(true);
const keys = ["user"] as const;
new ViewStream<Top>("/top10/stream", { key: keys, select: keys });

const several = new ViewStream("/stream?view=a&view=b", { views: { a: { key: "user", limit: 3 } } });
const a = several.view<Top>("a");
same<typeof a, ViewStream<Top> | undefined>(true);
const untypedPart = several.view("a");
same<typeof untypedPart, ViewStream | undefined>(true);
several.addEventListener("consistent", ({ detail }) => same<typeof detail, { position: string }>(true));
several.view<Top>("a")?.addEventListener("change", ({ detail }) => same<typeof detail.inserted, Top[]>(true));

const typed: SeveralViews<{ a: Top; b: Row }> = new ViewStream("/stream?view=a&view=b", { views: { a: { key: "user" } } });
const typedPart = typed.view("a");
same<typeof typedPart, ViewStream<Top>>(true);
typed.view("a").addEventListener("change", ({ detail }) => same<typeof detail.inserted, Top[]>(true));
// @ts-expect-error: a column that the rows of this view lack
const wrong: SeveralViews<{ a: Top }> = new ViewStream("/stream?view=a", { views: { a: { key: "users" } } });
void wrong;

const own = new ViewStream<Top>("/top10/stream", { filter: { user: ["a", "b"], count: { not: [1n, 2, "3"] } }, select: ["user", "count"] });
own.addEventListener("change", ({ detail }) => same<typeof detail.inserted, Top[]>(true));
const names = new ViewStream<Pick<Top, "user">, Top>("/top10/stream", { filter: { count: 7 }, select: ["user"], key: "user" });
same<ReturnType<typeof names.rows>, Pick<Top, "user">[]>(true);
new ViewStream("/v/stream", { filter: { anything: null, paid: true, other: { not: null } }, select: ["anything"] });
new ViewStream("/stream?view=a&view=b", { views: { a: { filter: { user: "x" }, select: ["user"] } } });
same<ReturnType<typeof parameterOf>, string>(true);

async function waits(): Promise<void> {
  using short = new ViewStream<Top>("/top10/stream");
  same<typeof short.rows, () => Top[]>(true);
  const ready = await view.ready;
  same<typeof ready, ViewStream<Top>>(true);
  await view.until("1-a");
  await view.until(1n);
}
void waits;
async function loop(): Promise<void> {
  for await (const change of view) same<typeof change, Change<Top>>(true);
}
void loop;
view.pause();
view.resume();
view.close();
same<typeof WIRE.base, string>(true);

const options: ViewStreamOptions<Top> = {};
options.limit = 3;
// @ts-expect-error: no event of this name
view.addEventListener("anything", () => {});
// @ts-expect-error: no event of this name
view.removeEventListener("changed", onStatus);
// @ts-expect-error: rows of a snapshot are nobody's to change
view.snapshot().rows.push({ user: "x", count: 1 });
// @ts-expect-error: when else
options.connect = "later";
// @ts-expect-error: a store gets and sets
options.persist = { get() {} };
// @ts-expect-error: a column that the rows lack
options.key = "users";
// @ts-expect-error: a condition on a column that the rows lack
options.filter = { users: "x" };
// @ts-expect-error: a column that is left out has no place among those that are shown
new ViewStream<Pick<Top, "user">, Top>("/top10/stream", { select: ["count"] });
// @ts-expect-error: a value that may be missing would show everybody's rows
options.filter = { user: undefined };
// @ts-expect-error: no value of a list is NULL
options.filter = { user: ["x", null] };
// @ts-expect-error: not not
options.filter = { user: { not: { not: "x" } } };
// @ts-expect-error: a moment has no text of its own
options.filter = { user: new Date() };
// @ts-expect-error: an order is a function
options.sort = "count";
// @ts-expect-error: a token is text, or gives it
options.token = 7;
// @ts-expect-error: a column's type is kept
view.rows()[0]?.count satisfies string | undefined;
// @ts-expect-error: read only
view.size = 3;
// @ts-expect-error: no such status
if (view.status === "opened") view.close();
// @ts-expect-error: not known without a check
untyped.rows()[0]?.["n"] satisfies number;

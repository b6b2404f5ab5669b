// Compiled, never run, by web/package.test.js: what the types allow and refuse.
import { ViewStream, WIRE, parameterOf, type Change, type Row, type Status, type Update, type ViewStreamOptions } from "viewcast";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

interface Top {
  user: string | null;
  count: number;
}

const view = new ViewStream<Top>("/top10/stream", { key: "user", sort: (a, b) => b.count - a.count, limit: 10 });
new ViewStream<Top>(new URL("https://x/top10/stream"), { key: ["user", "count"], token: "t", shared: true, withCredentials: true });
new ViewStream("/v/stream", { token: async () => "t", staleAfterMs: 1_000, EventSource });
const untyped = new ViewStream("/v/stream");

same<ReturnType<typeof view.rows>, Top[]>(true);
same<ReturnType<typeof untyped.rows>, Row[]>(true);
same<typeof view.size, number>(true);
same<typeof view.position, string | null>(true);
same<typeof view.timestamp, bigint | null>(true);
same<typeof view.status, Status>(true);
same<ReturnType<typeof view.json>, string | null>(true);
for (const [row, copies] of view.entries()) same<[typeof row, typeof copies], [Top, number]>(true);

view.addEventListener("base", ({ detail }) => same<typeof detail, { size: number; position: string }>(true));
view.addEventListener("change", ({ detail }) => {
  same<typeof detail, Change<Top>>(true);
  same<typeof detail.inserted, Top[]>(true);
  for (const update of detail.updated ?? []) same<typeof update, Update<Top>>(true);
});
view.addEventListener("status", ({ detail }) => same<typeof detail.status, Status>(true), { once: true });
view.addEventListener("wire", ({ detail }) => same<typeof detail.data, string>(true));
view.addEventListener("anything", (event) => same<typeof event, Event>(true));

const several = new ViewStream("/stream?view=a&view=b", { views: { a: { key: "user", limit: 3 } } });
same<ReturnType<typeof several.view<Top>>, ViewStream<Top> | undefined>(true);
several.addEventListener("consistent", ({ detail }) => same<typeof detail, { position: string; timestamp: bigint }>(true));
several.view<Top>("a")?.addEventListener("change", ({ detail }) => same<typeof detail.inserted, Top[]>(true));

const own = new ViewStream<Top>("/top10/stream", { filter: { user: ["a", "b"], count: { not: [1n, 2, "3"] } }, select: ["user", "count"] });
own.addEventListener("change", ({ detail }) => same<typeof detail.inserted, Top[]>(true));
const names = new ViewStream<Pick<Top, "user">, Top>("/top10/stream", { filter: { count: 7 }, select: ["user"], key: "user" });
same<ReturnType<typeof names.rows>, Pick<Top, "user">[]>(true);
new ViewStream("/v/stream", { filter: { anything: null, paid: true, other: { not: null } }, select: ["anything"] });
new ViewStream("/stream?view=a&view=b", { views: { a: { filter: { user: "x" }, select: ["user"] } } });
same<ReturnType<typeof parameterOf>, string>(true);

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
if (view.status === "open") view.close();
// @ts-expect-error: not known without a check
untyped.rows()[0]?.["n"] satisfies number;

// Compiled, never run, by tests/it/types.rs: the demo's /views.d.ts together with the client module.
import { ViewStream, type SeveralViews } from "viewcast";
import type { Views } from "./views";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

type Top = Views["top10"];
same<Top, { user: string; count: number | string }>(true);
same<Views["counter"]["edits"], number | string>(true);

const top = new ViewStream<Top>("/top10/stream", { key: "user", sort: (a, b) => Number(b.count) - Number(a.count), limit: 3 });
same<ReturnType<typeof top.rows>, Top[]>(true);
const names = new ViewStream<Pick<Top, "user">, Top>("/top10/stream", { filter: { user: ["a", "b"] }, select: ["user"] });
same<ReturnType<typeof names.rows>, Pick<Top, "user">[]>(true);

const several: SeveralViews<Views> = new ViewStream("/stream?view=top10&view=counter", { views: { top10: { key: "user" } } });
const part = several.view("top10");
same<typeof part, ViewStream<Top>>(true);
const two: SeveralViews<Pick<Views, "top10" | "counter">> = new ViewStream("/stream?view=top10&view=counter");
two.view("counter").addEventListener("change", ({ detail }) => same<typeof detail.inserted, Views["counter"][]>(true));

// @ts-expect-error: a bigint may be text
top.rows()[0]?.count satisfies number | undefined;
// @ts-expect-error: a column that the view lacks
top.rows()[0]?.name;
// @ts-expect-error: a column that the view lacks
new ViewStream<Top>("/top10/stream", { key: "name" });
// @ts-expect-error: a column of another view
new ViewStream<Views["counter"]>("/counter/stream", { filter: { user: "a" } });
// @ts-expect-error: a column that the view lacks
const wrong: SeveralViews<Views> = new ViewStream("/stream?view=top10", { views: { top10: { key: "name" } } });
void wrong;

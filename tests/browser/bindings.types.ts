// Compiled, never run, by web/package.test.js: what the types of the bindings allow and refuse.
import { createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import type { ShallowRef } from "vue";
import { ViewStream, type SeveralViews, type Snapshot } from "viewcast";
import { useSnapshot, useView, useViewStream } from "viewcast/react";
import { viewcastCollectionOptions } from "viewcast/tanstack-db";
import * as vue from "viewcast/vue";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

interface Order {
  id: string;
  customer: number;
  total: number;
}

const snapshot = useView<Order>("/orders/stream", { filter: { customer: 42 }, key: "id", sort: (a, b) => b.total - a.total }, [1]);
same<typeof snapshot, Snapshot<Order>>(true);
const stream = useViewStream<Order>("/orders/stream", { token: async () => "t" });
same<ReturnType<typeof stream.get>, Order | undefined>(true);
same<ReturnType<typeof useSnapshot<Order>>, Snapshot<Order>>(true);
const both: SeveralViews<{ orders: Order }> = useViewStream("/stream?view=orders");
const orders = useSnapshot(both.view("orders"));
same<typeof orders, Snapshot<Order>>(true);
const outside = useSnapshot(new ViewStream<Order>("/orders/stream", { connect: "lazy" }));
same<typeof outside, Snapshot<Order>>(true);
// @ts-expect-error: a hook decides itself when to connect
useView<Order>("/orders/stream", { connect: "now" });
// @ts-expect-error: a column that the rows lack
useView<Order>("/orders/stream", { key: "ids" });

const ref = vue.useView<Order>("/orders/stream", { key: "id" });
same<typeof ref, Readonly<ShallowRef<Snapshot<Order>>>>(true);

const collection = createCollection(viewcastCollectionOptions<Order>({ url: "/orders/stream", key: "id", syncMode: "on-demand", filterable: ["customer"], stream: { token: "t" } }));
same<typeof collection.toArray[number]["total"], number>(true);
const query = createLiveQueryCollection((q) => q.from({ order: collection }).where(({ order }) => eq(order.customer, 42)));
same<typeof query.toArray[number]["id"], string>(true);
void collection.utils.until("1-a");
// @ts-expect-error: a column that the rows lack
viewcastCollectionOptions<Order>({ url: "/orders/stream", key: "ids" });
// @ts-expect-error: a row is found by its key
viewcastCollectionOptions<Order>({ url: "/orders/stream" });

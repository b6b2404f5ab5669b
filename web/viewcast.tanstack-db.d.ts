import type { CollectionConfig } from "@tanstack/db";
import type { Row, UrlLike, ViewStreamOptions } from "viewcast";

/** What a collection needs of a view. */
export interface ViewcastCollectionConfig<R extends object = Row> extends Omit<CollectionConfig<R, string | number>, "sync" | "getKey"> {
  /** The address of the stream. */
  url: string | UrlLike;
  /** The column, or the columns, that identify a row; of several, `getKey` is the JSON text of their values. */
  key: (keyof R & string) | readonly (keyof R & string)[];
  /** Options of the stream: `token`, `shared`, `filter`, `persist` and so on. */
  stream?: Omit<ViewStreamOptions<R>, "key" | "sort" | "limit" | "connect"> | undefined;
  /**
   * With `syncMode: "on-demand"`: the columns that the gateway lets clients ask by (`filterable` in `/views`). `eq`,
   * `inArray` and `isNull` on them are asked of the gateway; what else a query says is left to the query. Default: none,
   * and so all rows are loaded.
   */
  filterable?: readonly (keyof R & string)[] | undefined;
}

/** What the collection can do beside what all collections can. */
export interface ViewcastUtils {
  [key: string]: any;
  /** Resolves once the rows hold what was so at a position or timestamp, e.g. in `onInsert`, that of the write. */
  until(position: string | bigint | number): Promise<unknown>;
}

/** Options for `createCollection`: `createCollection(viewcastCollectionOptions({ url: "/orders/stream", key: "id" }))`. */
export declare function viewcastCollectionOptions<R extends object = Row>(
  config: ViewcastCollectionConfig<R>,
): CollectionConfig<R, string | number, never, ViewcastUtils> & { utils: ViewcastUtils; schema?: never };

import type { ShallowRef } from "vue";
import type { Row, Snapshot, UrlLike, ViewStreamOptions } from "viewcast";

/** The rows of a view, and where they stand, for as long as the component (or effect scope) lives. */
export declare function useView<R = Row, V = R>(url: string | UrlLike, options?: Omit<ViewStreamOptions<R, V>, "connect">): Readonly<ShallowRef<Snapshot<R>>>;

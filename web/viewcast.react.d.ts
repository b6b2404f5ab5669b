import type { Row, Snapshot, UrlLike, ViewStream, ViewStreamOptions } from "viewcast";

/** Options of a hook; it decides itself when to connect. */
export type HookOptions<R, V, M = Record<string, any>> = Omit<ViewStreamOptions<R, V, M>, "connect">;

/**
 * The rows of a view, and where they stand: `const { rows, status, error } = useView("/orders/stream", { filter, key: "id" })`.
 * The stream is open while the component shows it; one that is to outlive it stands outside, for `useSnapshot`. Address and options may be written anew in
 * each render; functions among them (but `token`, of which the latest is called) count as the same until `deps` change.
 */
export declare function useView<R = Row, V = R>(url: string | UrlLike, options?: HookOptions<R, V>, deps?: readonly unknown[]): Snapshot<R>;

/** The stream itself, for `get(key)`, events, or several views: `useSnapshot(useViewStream("/stream?view=a&view=b").view("a"))`. */
export declare function useViewStream<R = Row, V = R, M = Record<string, any>>(
  url: string | UrlLike,
  options?: HookOptions<R, V, M>,
  deps?: readonly unknown[],
): ViewStream<R, V, M>;

/** What a stream shows now. */
export declare function useSnapshot<R>(stream: ViewStream<R, any, any>): Snapshot<R>;

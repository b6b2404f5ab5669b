/// <reference lib="esnext.disposable" />
// No DOM library is needed: what comes from the browser is told by its shape.

/** One row of a view: its columns by name, in the view's order, with values as docs/PROTOCOL.md maps them. */
export type Row = Record<string, unknown>;

/**
 * `idle`: there is no connection, since the stream is lazy and nobody reads it; rows held are kept.
 * `connecting`: no data yet, or the connection broke and is being made again; rows held are kept.
 * `live`: what is held is what the gateway holds.
 * `stale`: nothing was heard for `staleAfterMs`, Materialize is lost, the stream broke its contract, it is paused, or
 * the rows are those that `persist` kept.
 * `failed`: there is no stream, and `error` says why; it is tried again, slowly if that alone will not help.
 * `gone`: the view was dropped or its columns changed; the last rows are kept until a new base comes.
 * `closed`: `close()` was called; final.
 */
export type Status = "idle" | "connecting" | "live" | "stale" | "failed" | "gone" | "closed";

/** Why there is no stream. */
export interface Failure {
  /** The status of the HTTP answer; 0 if there was none. */
  readonly status: number;
  /** What went wrong, in the gateway's words if it answered. */
  readonly message: string;
  /** What may help, or "". */
  readonly hint: string;
  /** Trying again alone will not help: the address, the token or the gateway's settings must change. */
  readonly permanent: boolean;
}

/** A stream at one moment. It does not change; `rows` is the same array for as long as the rows are the same. */
export interface Snapshot<R = Row> {
  readonly rows: readonly R[];
  readonly status: Status;
  readonly reason: string;
  readonly error: Failure | null;
  readonly position: string | null;
}

/** What is kept of a view by `persist`: where it stands, and its rows as the text of the wire. Can be written as JSON. */
export interface Kept {
  readonly position: string;
  readonly rows: string;
}

/** Where `persist` keeps rows: anything with `get` and `set`, which may take their time and may fail. */
export interface Store {
  /** What was set last for the key, which stands for the address and for whose token asks. */
  get(key: string): Kept | null | undefined | Promise<Kept | null | undefined>;
  /** Keeps it: some seconds after the rows change, and when the page is left. */
  set(key: string, kept: Kept): unknown;
}

/** What a constructor of EventSource must look like; the browser's and npm's `eventsource` do. */
export type EventSourceLike = new (url: string, init?: { withCredentials?: boolean }) => {
  /** 0 connecting, 1 open, 2 closed for good. */
  readonly readyState: number;
  /** Registers a listener for one event name. */
  addEventListener(type: string, listener: (event: any) => void): void;
  /** Ends the connection; no event comes after it. */
  close(): void;
};

/** A value to compare a column with, by the column's type; text for numbers that JavaScript cannot hold. */
export type Scalar = string | number | bigint | boolean;

/** One value, one of several (none of none), or NULL. */
export type Match = Scalar | null | readonly Scalar[];

/** What `signal` must look like; an `AbortSignal` does. */
export interface SignalLike {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** What `worker` must give; a `SharedWorker` does. */
export interface SharedWorkerLike {
  readonly port: { postMessage(message: any): void; onmessage: any };
  onerror: any;
}

/** What a column must be, or must not be. */
export type Condition = Match | { not: Match };

/**
 * How a stream is opened and what it hands out; every member has a default. `R` is a row as it is shown,
 * `V` a whole row of the view, where `select` leaves some of its columns out, `M` the rows of several views by name.
 */
export interface ViewStreamOptions<R = Row, V = R, M = Record<string, any>> extends ViewOptions<R, V> {
  /**
   * When the connection is made: "now", or "lazy": with the first `subscribe()`, loop, `ready` or `until()`, until
   * `lingerMs` after the last of them. A lazy stream on a server opens nothing and may have a relative address.
   * Default: "now".
   */
  connect?: "now" | "lazy" | undefined;
  /** How long a lazy stream keeps its connection after its last reader, in ms. Default: 5000. */
  lingerMs?: number | undefined;
  /** Closes the stream when it is aborted. Default: none. */
  signal?: SignalLike | undefined;
  /** Sends cookies to another origin, as for `EventSource`. Default: false. */
  withCredentials?: boolean | undefined;
  /**
   * An access token, or what gives one for each connection and before each one ends (a stream goes on with it). It is sent as
   * `Authorization: Bearer`, and so the stream is read by `fetch` instead of `EventSource`. Default: none.
   */
  token?: string | (() => string | Promise<string>) | undefined;
  /**
   * In browsers with SharedWorker, all tabs of an origin that ask for the same address, filter and columns with the
   * same token use one connection. Elsewhere, and where the worker does not answer within two seconds, each has its
   * own. A tab that comes back gets a `base`. Default: false.
   */
  shared?: boolean | undefined;
  /**
   * The worker for `shared`, where a bundler does not find it by itself:
   * `() => new SharedWorker(new URL("viewcast/worker", import.meta.url), { type: "module" })`. Default: the file
   * viewcast.worker.js beside this module.
   */
  worker?: (() => SharedWorkerLike) | undefined;
  /**
   * Keeps rows and position, so that a page that is loaded again shows them at once (as `stale`) and goes on without
   * a base: in "indexeddb", or in a store of one's own. Of one view only. Default: nothing is kept.
   */
  persist?: "indexeddb" | Store | undefined;
  /**
   * The implementation to use. Default: `globalThis.EventSource`, or `fetch` where there is none (Node 20, Bun)
   * and with a `token`. Anything but a class makes the constructor throw a TypeError.
   */
  EventSource?: EventSourceLike | undefined;
  /** Of a stream of several views: what each of them is to have, by its name; the other options are the connection's. */
  views?: { readonly [K in keyof NoInfer<M>]?: Omit<ViewOptions<M[K]>, "batch"> } | undefined;
  /** Silence in ms after which the data is stale and the connection made anew; two heartbeats should fit. Default: 40000. */
  staleAfterMs?: number | undefined;
}

/** What is asked for of one view, and how its rows are handed out. */
export interface ViewOptions<R = Row, V = R> {
  /**
   * Conditions on columns, all of which must hold: the gateway sends only the rows that meet them, and a row that
   * comes to meet them, or no longer does, is inserted or deleted. The gateway says which columns may be named
   * (`filterable` in `/views`); it does not open the stream for others. What cannot be said at all throws a
   * TypeError at once. Default: all rows.
   */
  filter?: { readonly [K in keyof V & string]?: Condition } | undefined;
  /** The columns that are sent, in the view's order. Rows that differ in others alone are copies. Default: all. */
  select?: readonly (keyof R & string)[] | undefined;
  /** The column, or the columns, that identify a row: changes then carry `updated` pairs, and `get()` finds rows. Default: none. */
  key?: (keyof R & string) | readonly (keyof R & string)[] | undefined;
  /** The order of `rows()`, as for `Array.prototype.sort`; it is kept up to date, not made anew. Default: no order is promised. */
  sort?: ((a: R, b: R) => number) | undefined;
  /** At most this many of the (sorted) rows are handed out; all are held all the same. Default: all. */
  limit?: number | undefined;
  /**
   * "frame": subscribers are told at most once in a frame of the page (and so not at all while it is hidden), however
   * much has changed; events come at once as ever. Default: subscribers, too, are told at once.
   */
  batch?: "frame" | undefined;
}

/** A row that was replaced by another one of the same key. */
export interface Update<R = Row> {
  /** The row as it was. */
  before: R;
  /** The row as it is. */
  after: R;
}

/** What changed from one position to the next: whole timestamps, consolidated. */
export interface Change<R = Row> {
  /** Rows that came, one element for each copy; with `key`, without those in `updated`. */
  inserted: R[];
  /** Rows that went, one element for each copy; with `key`, without those in `updated`. */
  deleted: R[];
  /** Only with `key`: rows that were replaced. */
  updated?: Update<R>[];
  /** The position that the view now stands at. */
  position: string;
}

/** An event of a stream: a `CustomEvent`. */
export interface ViewEvent<D> {
  readonly type: string;
  readonly detail: D;
}

/** The events of a `ViewStream` by name. */
export interface ViewStreamEvents<R = Row> {
  /**
   * A base replaced everything: at the start, after a `gone`, and where a resume was not possible. It is told as what
   * it changes of the rows that were held; those that are equal stay the objects they are.
   */
  base: ViewEvent<Change<R> & { size: number }>;
  /** Rows changed; `rows()` already shows the result. */
  change: ViewEvent<Change<R>>;
  /** Nothing changed, but the view is known to be so at this position. */
  heartbeat: ViewEvent<{ position: string }>;
  /** The status or its reason changed; `reason` is a short text for people, "" if there is none. */
  status: ViewEvent<{ status: Status; reason: string; error: Failure | null }>;
  /** The stream broke its contract; nothing of the event was applied and a fresh base was asked for. */
  error: ViewEvent<{ message: string; position: string }>;
  /**
   * Only of a stream of several views: all of them now stand at this time, and what is new was told.
   * Whoever reads more than one of them does it here.
   */
  consistent: ViewEvent<{ position: string }>;
  /** A connection was made; whether there are rows is another matter. */
  open: ViewEvent<{}>;
  /** An event as it came over the wire, before anything was made of it: for logs and debugging. */
  wire: ViewEvent<{ type: string; data: string; lastEventId: string }>;
}

/** The names that the wire uses, as in docs/PROTOCOL.md. */
export declare const WIRE: Readonly<
  Record<
    "base" | "delta" | "upstream" | "gone" | "consistent" | "insert" | "delete" | "lost" | "live" | "position" | "lastEventId",
    string
  >
>;

/** The name of an event of one view of several. */
export declare function eventOf(view: string, kind: string): string;

/** The query parameter that stands for a column, for who writes an address by hand: some names are the gateway's own. */
export declare function parameterOf(column: string): string;

/**
 * A view, or the rows of it that meet a `filter`, kept up to date by a viewcast stream. It connects at once and
 * reconnects for ever, until closed.
 */
export declare class ViewStream<R = Row, V = R, M = Record<string, any>> {
  /**
   * Opens the stream, e.g. `new ViewStream("/orders/stream", { filter: { customer_id: 42 }, key: "id" })`; or one of
   * several views, `new ViewStream("/stream?view=a&view=b")`, which has no rows itself: `view("a")` has. A relative
   * address is that of the document; where there is none, it throws a TypeError.
   */
  constructor(url: string | UrlLike, options?: ViewStreamOptions<R, V, M>);
  /** How many rows the view has, each copy counted. */
  readonly size: number;
  /** The position (`<timestamp>-<incarnation>`) of the rows held, or null before the first base. Opaque but for equality. */
  readonly position: string | null;
  /** The Materialize timestamp of the rows held, in ms, or null before the first base. It may not fit a number. */
  readonly timestamp: bigint | null;
  /** Where the stream stands. */
  readonly status: Status;
  /** Why it stands there, as a short text for people, or "". */
  readonly reason: string;
  /** Of a stream that is `failed`, why; else null. */
  readonly error: Failure | null;
  /**
   * Resolves once rows have come from the gateway; rejects with an Error that has the members of `Failure` where that
   * will not be by itself, or if the stream is closed.
   */
  readonly ready: Promise<this>;
  /** Resolves once the rows are at least as new as a position or timestamp, e.g. that of one's own write; rejects as `ready` does. */
  until(position: string | bigint | number): Promise<this>;
  /** The rows as a new array; a row that stands k times in the view stands k times in it, as the same object. Do not change them. */
  rows(): R[];
  /** Rows and status as one object, the same one until something changes: what `useSyncExternalStore` asks for. */
  snapshot(): Snapshot<R>;
  /**
   * Calls with the snapshot, now and whenever it has changed, until the function that it returns is called; this is
   * what Svelte calls a store. A lazy stream has its connection for as long as somebody reads it.
   */
  subscribe(callback: (snapshot: Snapshot<R>) => void): () => void;
  /** The row of a key: the value of the column that option `key` names, or a list of values if it names several. */
  get(key: unknown): R | undefined;
  /** Whether there is a row of a key. */
  has(key: unknown): boolean;
  /** The keys of all rows. */
  keys(): IterableIterator<unknown>;
  /** Each distinct row with its multiplicity, without the copying that `rows()` does. */
  entries(): IterableIterator<[row: R, multiplicity: number]>;
  /** The rows as one JSON array with the very text of the wire, or null while a base is waited for. */
  json(): string | null;
  /** Of a stream of several views: the one of this name as in the URL, which is closed with the stream. */
  view<K extends keyof M & string>(name: K): string extends keyof M ? ViewStream | undefined : ViewStream<M[K]>;
  /** The same, where the views were not typed by `SeveralViews`. */
  view<S = Row>(name: string): ViewStream<S> | undefined;
  /** Lets go of the connection and keeps the rows; the status is `stale` then. */
  pause(): void;
  /**
   * Connects again after `pause()` and goes on where it stood, if the gateway still can. One view of several has no
   * connection of its own: what it missed was kept, and comes as one base or one change.
   */
  resume(): void;
  /** Ends the stream for good; the rows stay readable. */
  close(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
  /**
   * Changes one after another. The first one inserts the rows that stand, a base counts as what it
   * changes, and a slow loop gets everything since its last turn as one change: applied in order they
   * always add up to the view. Ends with `close()`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Change<R>, void, void>;
  /** Registers a listener for an event of this name. */
  addEventListener<K extends keyof ViewStreamEvents<R>>(type: K, listener: Listener<ViewStreamEvents<R>[K]>, options?: boolean | ListenerOptions): void;
  /** Takes a listener back. */
  removeEventListener<K extends keyof ViewStreamEvents<R>>(type: K, listener: Listener<ViewStreamEvents<R>[K]>, options?: boolean | ListenerOptions): void;
}

/** Of several views, the rows of each by its name: `const both: SeveralViews<{ a: A; b: B }> = new ViewStream("/stream?view=a&view=b")`. */
export type SeveralViews<M> = ViewStream<Row, Row, M>;

/** An address; a `URL` is one. */
export interface UrlLike {
  readonly href: string;
  toString(): string;
}

/** What is called with an event. */
export type Listener<E> = (event: E) => void;

/** As for `EventTarget`. */
export interface ListenerOptions {
  capture?: boolean;
  once?: boolean;
  passive?: boolean;
  signal?: any;
}

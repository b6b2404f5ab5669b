/** One row of a view: its columns by name, in the view's order, with values as docs/PROTOCOL.md maps them. */
export type Row = Record<string, unknown>;

/**
 * `connecting`: no data yet, or the connection broke and is being made again; rows held are kept.
 * `live`: what is held is what the gateway holds.
 * `stale`: nothing was heard for `staleAfterMs`, Materialize is lost, the stream broke its contract, or it is paused.
 * `gone`: the view was dropped or its columns changed; the last rows are kept until a new base comes.
 * `closed`: `close()` was called; final.
 */
export type Status = "connecting" | "live" | "stale" | "gone" | "closed";

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

/** What a column must be, or must not be. */
export type Condition = Match | { not: Match };

/**
 * How a stream is opened and what it hands out; every member has a default. `R` is a row as it is shown,
 * `V` a whole row of the view, where `select` leaves some of its columns out.
 */
export interface ViewStreamOptions<R = Row, V = R> {
  /**
   * Conditions on columns, all of which must hold: the gateway sends only the rows that meet them, and a row that
   * comes to meet them, or no longer does, is inserted or deleted. The gateway says which columns may be named
   * (`filterable` in `/views`); it does not open the stream for others. What cannot be said at all throws a
   * TypeError at once. Default: all rows.
   */
  filter?: { readonly [K in keyof V & string]?: Condition };
  /** The columns that are sent, in the view's order. Rows that differ in others alone are copies. Default: all. */
  select?: readonly (keyof R & string)[];
  /** The column, or the columns, that identify a row: changes then carry `updated` pairs. Default: none. */
  key?: (keyof R & string) | (keyof R & string)[];
  /** The order of `rows()`, as for `Array.prototype.sort`. Default: no order is promised. */
  sort?: (a: R, b: R) => number;
  /** At most this many of the (sorted) rows are returned by `rows()`; all are held all the same. Default: all. */
  limit?: number;
  /** Sends cookies to another origin, as for `EventSource`. Default: false. */
  withCredentials?: boolean;
  /**
   * An access token, or what gives one for each connection (tokens expire). It is sent as
   * `Authorization: Bearer`, and so the stream is read by `fetch` instead of `EventSource`. Default: none.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * In browsers with SharedWorker, all tabs of an origin that ask for the same URL, filter and columns with the
   * same token use one connection. Elsewhere each has its own, as without it. A tab that comes back gets a `base`. Default: false.
   */
  shared?: boolean;
  /**
   * The implementation to use. Default: `globalThis.EventSource`, or `fetch` where there is none (Node 20, Bun)
   * and with a `token`. Anything but a class makes the constructor throw a TypeError.
   */
  EventSource?: EventSourceLike;
  /** Of a stream of several views: what each of them is to have, by its name; the other options are the connection's. */
  views?: Record<string, Pick<ViewStreamOptions<any>, "key" | "sort" | "limit" | "filter" | "select">>;
  /** Silence in ms after which the data is stale and the connection is made anew; two heartbeats should fit. Default: 40000. */
  staleAfterMs?: number;
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

/** The events of a `ViewStream` by name. */
export interface ViewStreamEvents<R = Row> {
  /** A base replaced everything: at the start, after a `gone`, and where a resume was not possible. */
  base: CustomEvent<{ size: number; position: string }>;
  /** Rows changed; `rows()` already shows the result. */
  change: CustomEvent<Change<R>>;
  /** Nothing changed, but the view is known to be so at this position. */
  heartbeat: CustomEvent<{ position: string }>;
  /** The status or its reason changed; `reason` is a short text for people, "" if there is none. */
  status: CustomEvent<{ status: Status; reason: string }>;
  /** The stream broke its contract; nothing of the event was applied and a fresh base was asked for. */
  error: CustomEvent<{ message: string; position: string }>;
  /**
   * Only of a stream of several views: all of them now stand at this time, and what is new was told.
   * Whoever reads more than one of them does it here.
   */
  consistent: CustomEvent<{ position: string; timestamp: bigint }>;
  /** An event as it came over the wire, before anything was made of it: for logs and debugging. */
  wire: CustomEvent<{ type: string; data: string; lastEventId: string }>;
}

/** The names that the wire uses, as in docs/PROTOCOL.md. */
export declare const WIRE: Readonly<
  Record<
    "base" | "delta" | "upstream" | "gone" | "consistent" | "insert" | "delete" | "lost" | "live" | "position" | "lastEventId",
    string
  >
>;

/** The query parameter that stands for a column, for who writes an address by hand: some names are the gateway's own. */
export declare function parameterOf(column: string): string;

/**
 * A view, or the rows of it that meet a `filter`, kept up to date by a viewcast stream. It connects at once and
 * reconnects for ever, until closed.
 */
export declare class ViewStream<R = Row, V = R> extends EventTarget {
  /**
   * Opens the stream, e.g. `new ViewStream("/orders/stream", { filter: { customer_id: 42 }, key: "id" })`; or one of
   * several views, `new ViewStream("/stream?view=a&view=b")`, which has no rows itself: `view("a")` has. `shared` does
   * nothing there.
   */
  constructor(url: string | URL, options?: ViewStreamOptions<R, V>);
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
  /** The rows as a new array; a row that stands k times in the view stands k times in it, as the same object. Do not change them. */
  rows(): R[];
  /** Each distinct row with its multiplicity, without the copying that `rows()` does. */
  entries(): IterableIterator<[row: R, multiplicity: number]>;
  /** The rows as one JSON array with the very text of the wire, or null while a base is waited for. */
  json(): string | null;
  /** Of a stream of several views: the one of this name as in the URL, which is closed with the stream. */
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
  /**
   * Changes one after another. The first one inserts the rows that stand, a base counts as what it
   * changes, and a slow loop gets everything since its last turn as one change: applied in order they
   * always add up to the view. Ends with `close()`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Change<R>, void, void>;
  /** Registers a listener, typed by the event's name. */
  addEventListener<K extends keyof ViewStreamEvents<R>>(
    type: K,
    listener: (event: ViewStreamEvents<R>[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Registers any other listener. */
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

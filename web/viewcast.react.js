/** React: a view's rows in a component. A stream is open while a component shows it. */
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { ViewStream } from "./viewcast.js";

/** Options that are written anew in each render are still the same. */
const textOf = (options) => JSON.stringify(options, (_, value) => (typeof value === "bigint" ? `${value}n` : value));

/** The stream of an address; another one when address, options or `deps` change. */
export function useViewStream(url, options = {}, deps = []) {
  const latest = useRef(options);
  useEffect(() => { latest.current = options; });
  return useMemo(() => {
    const { token } = options;
    // A function of the render before knows old things.
    const current = typeof token === "function" ? () => latest.current.token() : token;
    // A component that comes back has another stream; StrictMode takes this one again within the same turn.
    return new ViewStream(url, { lingerMs: 0, ...options, token: current, connect: "lazy" });
  }, [String(url), textOf(options), ...deps]);
}

/** What a stream, or one view of several, shows now. */
export function useSnapshot(stream) {
  const subscribe = useCallback((changed) => stream.subscribe(changed), [stream]);
  const read = () => stream.snapshot();
  return useSyncExternalStore(subscribe, read, read);
}

/** Both: the rows of an address, and where they stand. */
export const useView = (url, options, deps) => useSnapshot(useViewStream(url, options, deps));

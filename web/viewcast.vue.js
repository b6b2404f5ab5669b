/** Vue: a view's rows in a component, as a shallow ref. */
import { onScopeDispose, shallowRef } from "vue";
import { ViewStream } from "./viewcast.js";

export function useView(url, options) {
  const stream = new ViewStream(url, { lingerMs: 0, ...options, connect: "lazy" });
  const snapshot = shallowRef(stream.snapshot());
  // On a server nothing is opened.
  if (globalThis.document) onScopeDispose(stream.subscribe((next) => { snapshot.value = next; }));
  return snapshot;
}

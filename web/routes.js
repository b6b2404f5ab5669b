// The page's addresses: `/` is everything, `/#/NAME` is one view, `/#/NAME?user=eq.x` some rows of it.

/** The address of a view's page; `query` is its stream's, which names a window. */
export const pathOf = (name, query = "") => `#/${encodeURIComponent(name)}${query && "?"}${query}`;

/** The view that an address asks for, or null for the start page, and the query of its stream. */
export function placeIn(hash) {
  if (!hash.startsWith("#/") || hash === "#/") return { name: null, query: "" };
  const [, encoded, query] = /^#\/([^?]*)\??(.*)$/s.exec(hash);
  try {
    return { name: decodeURIComponent(encoded), query };
  } catch {
    return { name: encoded, query };
  }
}

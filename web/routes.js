// The page's addresses: `/` is everything, `/#/NAME` is one view.

/** The address of a view's page. */
export const pathOf = (name) => `#/${encodeURIComponent(name)}`;

/** The view that an address asks for, or null for the start page. */
export function nameIn(hash) {
  if (!hash.startsWith("#/") || hash === "#/") return null;
  try {
    return decodeURIComponent(hash.slice(2));
  } catch {
    return hash.slice(2);
  }
}

/**
 * The option `persist`: rows and their position are kept in the browser (or in a store of one's own), so that a page
 * that is loaded again shows them at once, as old ones, and goes on from there without a base.
 *
 * What is kept is the text of the wire, with the position that it stands at: the gateway either goes on from exactly
 * there (R1) or sends a base (R2), which is told as what it changes. So nothing that is old, of another schema or from
 * another tab can make rows wrong.
 */

/** Rows are kept so long after they have come, and then so long after they have changed. */
const FIRST_MS = 500;
const SAVE_MS = 5_000;
/** A store that has not answered by then is not waited for. */
const ANSWER_MS = 1_000;
/** A view of more characters is not kept: writing it again and again costs the reader more than a base. */
const LENGTH_MAX = 8_000_000;
/** Characters kept in all, and how long, by the store in IndexedDB. */
const TOTAL_LENGTH_MAX = 40_000_000;
const AGE_MS_MAX = 7 * 24 * 3_600_000;
/** The database, its only table, of {key, position, rows, length, at}, and that table's index of age and length. */
const [DATABASE, TABLE, INDEX] = ["viewcast", "views", "age"];
/** Claims of a token that change though its bearer stays the same. */
const FLEETING = ["exp", "iat", "nbf", "jti"];

/** Gives what is kept of a view, and keeps it from now on. */
export async function keep(view, persist, url, token) {
  const store = persist === "indexeddb" ? indexedDb : persist;
  if (typeof store?.get !== "function" || typeof store.set !== "function") throw new TypeError('option persist is neither "indexeddb" nor a store with get and set');
  const key = await keyOf(url, typeof token === "function" ? await token() : token);
  new Keeper(view, store, key);
  const kept = await Promise.race([store.get(key), new Promise((resolve) => setTimeout(resolve, ANSWER_MS))]);
  return typeof kept?.rows === "string" && typeof kept.position === "string" ? kept : undefined;
}

/** Forgets all rows that are kept in IndexedDB: for who logs out. */
export const forget = () => indexedDb.clear();

/** An address, and whose token asks for it: nobody is shown rows that somebody else was. */
async function keyOf(url, token) {
  if (!token) return url;
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(bearerOf(token)));
  return `${url} ${Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** A JWT's lasting claims; of another token, all of it. */
function bearerOf(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return JSON.stringify(Object.entries(claims).filter(([name]) => !FLEETING.includes(name)).sort());
  } catch {
    return token;
  }
}

/**
 * Keeps a view's rows: some seconds after they change, and at once when nobody follows them any more. The latter alone
 * would not do: a browser that leaves a page does not finish what is long.
 */
class Keeper {
  #view; #store; #key;
  #timer = null; #position = null; #isRefused = false;

  constructor(view, store, key) {
    [this.#view, this.#store, this.#key] = [view, store, key];
    for (const type of ["base", "change", "heartbeat"]) view.addEventListener(type, () => this.#soon());
    // A page that is left pauses its streams.
    view.addEventListener("status", ({ detail: { status, reason } }) => {
      if (reason === "paused" || status === "idle" || status === "closed") this.#save();
    });
  }

  #soon() {
    this.#timer ??= setTimeout(() => this.#save(), this.#position === null ? FIRST_MS : SAVE_MS);
    this.#timer.unref?.();
  }

  async #save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { position } = this.#view;
    if (this.#isRefused || position === null || position === this.#position) return;
    const rows = this.#view.json();
    if (rows === null || rows.length > LENGTH_MAX) return;
    this.#position = position;
    try {
      await this.#store.set(this.#key, { position, rows });
    } catch (error) {
      // No room, say. What is kept from before stays good: it is only older.
      this.#isRefused = true;
      console.warn(`viewcast: the rows could not be kept: ${error?.message ?? error}`);
    }
  }
}

const answerOf = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Rows in IndexedDB, which all tabs of an origin share: the last one that writes a view wins, and each is right. */
class IndexedDbStore {
  #database = null;

  async get(key) {
    await this.#open();
    const record = await answerOf(this.#begin("readonly").objectStore(TABLE).get(key));
    return record && record.at > Date.now() - AGE_MS_MAX ? record : undefined;
  }

  /** All is asked for at once: a page that is left has time for nothing that comes later. */
  async set(key, { position, rows }) {
    if (this.#database === null) await this.#open();
    const transaction = this.#begin("readwrite");
    transaction.objectStore(TABLE).put({ key, position, rows, length: rows.length, at: Date.now() });
    transaction.commit?.();
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    this.#makeRoom();
  }

  async clear() {
    await this.#open();
    await answerOf(this.#begin("readwrite").objectStore(TABLE).clear());
  }

  /** The oldest go, until what is left is within the bound. The index says enough: no rows are read for it. */
  #makeRoom() {
    const table = this.#begin("readwrite").objectStore(TABLE);
    let left = TOTAL_LENGTH_MAX;
    const request = table.index(INDEX).openKeyCursor(null, "prev");
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null) return;
      const [at, length] = cursor.key;
      left -= length;
      if (left < 0 || at < Date.now() - AGE_MS_MAX) table.delete(cursor.primaryKey);
      cursor.continue();
    };
  }

  #begin(mode) { return this.#database.transaction(TABLE, mode); }

  async #open() {
    if (this.#database !== null) return;
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "key" }).createIndex(INDEX, ["at", "length"]);
    this.#database = await answerOf(request);
    // Else a tab with a later version of this file could not open it.
    this.#database.onversionchange = () => { this.#database.close(); this.#database = null; };
    this.#database.onclose = () => { this.#database = null; };
  }
}

const indexedDb = new IndexedDbStore();

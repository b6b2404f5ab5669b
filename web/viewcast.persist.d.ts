/** Forgets all rows that `persist: "indexeddb"` has kept in this browser: for who logs out. */
export declare function forget(): Promise<void>;

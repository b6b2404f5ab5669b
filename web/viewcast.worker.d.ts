// Runs in a SharedWorker: `new SharedWorker(new URL("viewcast/worker", import.meta.url), { type: "module" })`.
export {};

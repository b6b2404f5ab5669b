/**
 * viewcast: Materialize views, live. What comes over the wire is in docs/PROTOCOL.md, what this module offers in
 * viewcast.d.ts.
 *
 * The stream itself is viewcast.core.js. What few pages need is loaded when it is asked for: viewcast.worker.js for the
 * option `shared`, viewcast.persist.js for `persist`. They are named here and nowhere in the core, since the worker
 * runs the core: bundlers do not take a worker that has itself inside, nor one that loads more files.
 */
import { extras } from "./viewcast.core.js";

export { ViewStream, WIRE, eventOf, parameterOf } from "./viewcast.core.js";

// In one piece and of literals, or bundlers do not see that there is a worker. Its name changes with what tabs and
// worker say: an old worker may outlive its page.
extras.worker = () => new SharedWorker(new URL("./viewcast.worker.js", import.meta.url), { type: "module", name: "viewcast-2" });
extras.persist = () => import("./viewcast.persist.js");

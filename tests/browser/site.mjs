// A site of its own in front of the gateway, as a proxy would make one: pages and bundles of the tests, the files of
// web/ as they are now under /assets/, and everything else from the gateway.
import { readFile } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
/** As src/http/page.rs has it. */
const SERVED = { "viewcast.js": "viewcast.min.js", "viewcast.worker.js": "viewcast.worker.min.js" };

/**
 * Serves `pages` (path -> HTML text) and `folders` (path that ends with "/" -> folder), and counts what is passed on;
 * all of it below `prefix`.
 */
export async function startSite(gateway, { pages = {}, folders = {}, port = 0, prefix = "" } = {}) {
  const passed = [];
  let isDown = false;
  const mounts = { "/assets/": WEB, ...folders };
  const pass = (incoming, response) => {
    passed.push(incoming.url);
    if (isDown) return response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway");
    const outgoing = ask(gateway + incoming.url, { method: incoming.method, headers: { ...incoming.headers, host: new URL(gateway).host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  };
  const server = createServer(async (incoming, response) => {
    if (!incoming.url.startsWith(prefix)) return response.writeHead(404).end();
    incoming.url = incoming.url.slice(prefix.length);
    const { pathname } = new URL(incoming.url, "http://site");
    if (Object.hasOwn(pages, pathname)) return response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html><link rel="icon" href="data:,">${pages[pathname]}`);
    const mount = pathname === "/" ? "/assets/" : Object.keys(mounts).find((path) => pathname.startsWith(path));
    if (mount === undefined) return pass(incoming, response);
    const name = pathname.slice(mount.length) || "index.html";
    try {
      const text = await readFile(join(mounts[mount], mount === "/assets/" ? SERVED[name] ?? name : name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "text/plain" }).end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    /** The paths that the gateway was asked for. */
    passed,
    /** Ends all connections, as a proxy that restarts does. */
    cut: () => server.closeAllConnections(),
    /** Ends them, and answers 502 from then on, as a proxy does whose gateway restarts; or no longer. */
    setDown(down) {
      isDown = down;
      server.closeAllConnections();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

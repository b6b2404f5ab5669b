// What the client module's tests share: a server of streams that the test scripts byte by byte.
import { once } from "node:events";
import { createServer } from "node:http";

/** Serves `script(response, request, n)` for the n-th request; gives the URL and what was asked. */
export async function serve(t, script) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request);
    script(response, request, requests.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}/v/stream`, requests };
}

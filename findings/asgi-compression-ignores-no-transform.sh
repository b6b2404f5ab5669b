#!/usr/bin/env bash
# Software: PyPI brotli-asgi 1.7.0, starlette-compress 2.0.0 on starlette 1.10.0 and uvicorn 0.54.0; for comparison
#   starlette's own GZipMiddleware.
# Expected: an answer with `Cache-Control: no-transform` is passed on as it is (RFC 9111, section 5.2.2.6: no
#   intermediary may transform the content), the more so an event stream.
# Seen: both compress it all the same. Each event is flushed, so that it still comes at once; what gets lost is the
#   choice of whoever said no-transform, and one compressor for each of the proxy's clients is paid for.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi brotli-asgi==1.7.0 starlette-compress==2.0.0 starlette==1.10.0 uvicorn==0.54.0
check <<'JS'
import http from 'node:http';
import { claim, finish, python, sleep, until } from './lib.mjs';

const run = python(`
import asyncio, json, socket
import uvicorn
from brotli_asgi import BrotliMiddleware
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette_compress import CompressMiddleware

async def stream(request):
    async def events():
        for n in range(50):
            yield f"id: {n}\\ndata: {n}\\n\\n"
            await asyncio.sleep(0.1)
    headers = {"Cache-Control": "no-store, no-transform"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

async def main():
    servers = []
    for middleware in (BrotliMiddleware, CompressMiddleware, GZipMiddleware):
        listener = socket.create_server(("127.0.0.1", 0))
        app = middleware(Starlette(routes=[Route("/", stream)]))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        servers.append(server.serve(sockets=[listener]))
        print(json.dumps(listener.getsockname()[1]), flush=True)
    await asyncio.gather(*servers)

asyncio.run(main())
`);
await until(() => run.lines.length === 3, 20000);
const packed = { BrotliMiddleware: 'br', CompressMiddleware: 'zstd', GZipMiddleware: 'as it is' };
for (const [index, [name, coding]] of Object.entries(packed).entries()) {
  const seen = { coding: null, reads: 0 };
  http.get({ host: '127.0.0.1', port: run.lines[index], headers: { 'accept-encoding': 'gzip, br, zstd' } }, (response) => {
    seen.coding = response.headers['content-encoding'] ?? 'as it is';
    seen.control = response.headers['cache-control'];
    response.on('data', () => (seen.reads += 1));
  });
  await sleep(2000);
  claim(name, { ...seen, reads: seen.reads > 10 }, { coding, reads: true, control: 'no-store, no-transform' });
}
finish();
JS

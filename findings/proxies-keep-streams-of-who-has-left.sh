#!/usr/bin/env bash
# Software: PyPI jupyter-server-proxy 4.6.0 (jupyter-server 2.21.1, tornado 6.6.1), asgiproxy 0.2.0 (aiohttp 3.14.5, uvicorn
#   0.54.0); npm http-proxy 1.18.1 on Node 20; for comparison http-proxy-middleware 4.2.1.
# Expected: a proxy that reads an endless answer for a client stops when the client has closed its connection, at the
#   latest when it cannot hand on what comes next.
# Seen: three go on reading for nobody, here for 12 s of an event each 100 ms, by other measurements for as long as one
#   waits. Each page that is loaded anew leaves one more subscriber at the server behind it.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm http-proxy@1.18.1 http-proxy-middleware@4.2.1 express@5.3.0
install_pypi jupyter-server-proxy==4.6.0 jupyter-server==2.21.1 tornado==6.6.1 asgiproxy==0.2.0 aiohttp==3.14.5 uvicorn==0.54.0
SECONDS_MAX=120 check <<'JS'
import http from 'node:http';
import { begin, claim, finish, jupyter, listen, python, serve, until } from './lib.mjs';

const over = (handler) => listen(http.createServer(handler));
const proxies = {
  'jupyter-server-proxy': jupyter,
  asgiproxy: async (origin) => {
    const run = python(`
import json, socket, sys
import uvicorn
from asgiproxy.__main__ import make_app
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps(listener.getsockname()[1]), flush=True)
app, context = make_app(sys.argv[1])
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
`, `http://127.0.0.1:${origin.port}`);
    await until(() => run.lines.length > 0, 20000);
    return [run.lines[0], '/view/stream'];
  },
  'http-proxy': async (origin) => {
    const proxy = (await import('http-proxy')).default.createProxyServer({ target: `http://127.0.0.1:${origin.port}` });
    return [await over((request, response) => proxy.web(request, response)), '/view/stream'];
  },
  'http-proxy-middleware': async (origin) => {
    const express = (await import('express')).default;
    const { createProxyMiddleware } = await import('http-proxy-middleware');
    return [await over(express().use(createProxyMiddleware({ target: `http://127.0.0.1:${origin.port}` }))), '/view/stream'];
  },
};

async function measure(name, start) {
  let open = 0;
  const origin = await serve((_, response) => {
    open += 1;
    begin(response, ': hello\n\n');
    const timer = setInterval(() => response.write('data: 1\n\n'), 100);
    response.on('close', () => {
      open -= 1;
      clearInterval(timer);
    });
  });
  const [port, path] = await start(origin);
  for (let n = 0; n < 3; n += 1) {
    let text = '';
    const request = http.get({ host: '127.0.0.1', port, path, agent: false, headers: { accept: 'text/event-stream' } }, (response) => {
      response.on('data', (chunk) => (text += chunk)).on('error', () => {});
    });
    request.on('error', () => {});
    if (!(await until(() => text.includes('data'), 10000))) claim(`${name}, a stream runs`, false, true);
    request.destroy();
  }
  await until(() => open === 0, 12000);
  claim(`${name}, streams at the server 12 s after three clients have left`, open, name === 'http-proxy-middleware' ? 0 : 3);
}
await Promise.all(Object.entries(proxies).map(([name, start]) => measure(name, start)));
finish();
JS

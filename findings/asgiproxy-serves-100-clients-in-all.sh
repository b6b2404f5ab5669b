#!/usr/bin/env bash
# Software: PyPI asgiproxy 0.2.0 over aiohttp 3.14.5, uvicorn 0.54.0, as its own command starts it.
# Expected: when a client leaves an endless answer, the proxy leaves it, too, and the connection is free for the next.
# Seen: two defaults meet. It never notices that a client has left, and aiohttp gives one server 100 connections. After a
#   hundred clients that have come and gone nobody gets an answer any more, not even a refusal, until it is restarted.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi asgiproxy==0.2.0 aiohttp==3.14.5 uvicorn==0.54.0
SECONDS_MAX=120 check <<'JS'
import http from 'node:http';
import { begin, claim, finish, python, serve, sleep, until } from './lib.mjs';

let open = 0;
const server = await serve((_, response) => {
  open += 1;
  begin(response, ': hello\n\n');
  const timer = setInterval(() => response.write('data: 1\n\n'), 250);
  response.on('close', () => {
    open -= 1;
    clearInterval(timer);
  });
});
const proxy = python(`
import json, socket, sys
import uvicorn
from asgiproxy.__main__ import make_app
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps(listener.getsockname()[1]), flush=True)
app, context = make_app(sys.argv[1])
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
`, `http://127.0.0.1:${server.port}`);
await until(() => proxy.lines.length > 0, 20000);

// One client: what it has got after at most `ms`; then it leaves.
async function client(ms) {
  const seen = { status: null, text: '' };
  const request = http.get({ host: '127.0.0.1', port: proxy.lines[0], path: '/view/stream', agent: false }, (response) => {
    seen.status = response.statusCode;
    response.on('data', (chunk) => (seen.text += chunk)).on('error', () => {});
  });
  request.on('error', () => {});
  await until(() => seen.text !== '', ms);
  request.destroy();
  return seen.status;
}
const statuses = [];
for (let n = 0; n < 100; n += 1) statuses.push(await client(5000));
claim('of 100 clients, one after the other, were served', statuses.filter((status) => status === 200).length, 100);
await sleep(10000);
claim('streams open at the server 10 s after the last has left', open, 100);
claim('answer to the next client within 8 s', await client(8000), null);
finish();
JS

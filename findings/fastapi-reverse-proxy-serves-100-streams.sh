#!/usr/bin/env bash
# Software: PyPI fastapi-reverse-proxy 0.4.0 over httpx 0.28.1, fastapi 0.165.0 and uvicorn 0.54.0.
# Expected: a proxy that names event streams among its features carries as many as its process can hold open, or says
#   where it ends (503).
# Seen: it keeps httpx's pool of 100 connections, and each stream keeps one for ever. The 101st client is accepted,
#   gets no head and no refusal, and the gateway never hears of it. As one of the hundred leaves, it is served.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi fastapi-reverse-proxy==0.4.0 httpx==0.28.1 fastapi==0.165.0 uvicorn==0.54.0
check <<'JS'
import http from 'node:http';
import { begin, claim, finish, python, serve, sleep, until } from './lib.mjs';

const server = await serve((_, response) => {
  begin(response, 'id: 1\ndata: 1\n\n');
  const timer = setInterval(() => response.write('id: 2\ndata: []\n\n'), 500);
  response.on('close', () => clearInterval(timer));
});
const proxy = python(`
import json, socket, sys
from contextlib import asynccontextmanager
import uvicorn
from fastapi import FastAPI, Request
from fastapi_reverse_proxy import Proxy, proxy_pass

@asynccontextmanager
async def lifespan(app):
    async with Proxy(app):
        yield

app = FastAPI(lifespan=lifespan)

@app.get("/{path:path}")
async def pass_on(request: Request):
    return await proxy_pass(request, sys.argv[1])

listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps(listener.getsockname()[1]), flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
`, `http://127.0.0.1:${server.port}`);
await until(() => proxy.lines.length > 0, 20000);

function open() {
  const stream = { status: null, text: '' };
  stream.request = http.get({ host: '127.0.0.1', port: proxy.lines[0], path: '/view/stream', agent: false }, (response) => {
    stream.status = response.statusCode;
    response.on('data', (chunk) => (stream.text += chunk));
    response.on('error', () => {});
  });
  stream.request.on('error', () => {});
  return stream;
}
const streams = [];
for (let n = 0; n < 100; n += 1) {
  streams.push(open());
  await until(() => streams[n].text !== '', 5000);
}
claim('streams of the first 100 clients that run', streams.filter(({ text }) => text !== '').length, 100);
const late = open();
await sleep(8000);
claim('answer to the next one after 8 s', late.status, null);
claim('requests that the gateway has seen', server.requests.length, 100);
streams[0].request.destroy();
await until(() => late.text !== '', 10000);
claim('answer to it, once another has left', late.status, 200);
finish();
JS

#!/usr/bin/env bash
# Software: npm compression 1.8.2 on express 5.3.0, koa-compress 5.2.2 on koa 3.3.0; for comparison @fastify/compress
#   9.2.0 on fastify 5.12.8, and the same two where the answer says `no-transform`.
# Expected: that compression holds small events back is known of the first. But a client learns at once that there is a
#   stream, as it does over gzip.
# Seen: with a client that takes brotli, as browsers do over TLS, nothing at all comes before the stream ends: no status,
#   no headers. EventSource stays CONNECTING, and a fetch does not resolve. With gzip the head and gzip's ten bytes come
#   at once, so that it looks open, and silent. Both leave `no-transform` alone, and every event comes.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm express@5.3.0 compression@1.8.2 koa@3.3.0 koa-compress@5.2.2 fastify@5.12.8 @fastify/compress@9.2.0
check <<'JS'
import http from 'node:http';
import { PassThrough } from 'node:stream';
import { claim, finish, listen, sleep } from './lib.mjs';

const load = async (name) => (await import(name)).default;
const type = 'text/event-stream; charset=utf-8';
function events() {
  const stream = new PassThrough();
  const timer = setInterval(() => stream.write('data: 1\n\n'), 100);
  const end = () => {
    clearInterval(timer);
    stream.end();
  };
  setTimeout(end, 5000);
  stream.on('close', () => clearInterval(timer));
  return stream;
}
const servers = {
  compression: async (control) => {
    const app = (await load('express'))().use((await load('compression'))());
    app.get('/', (_, response) => {
      response.writeHead(200, { 'content-type': type, 'cache-control': control });
      events().pipe(response);
    });
    return listen(http.createServer(app));
  },
  'koa-compress': async (control) => {
    const app = new (await load('koa'))().use((await load('koa-compress'))());
    app.silent = true;
    app.use((context) => {
      context.set({ 'content-type': type, 'cache-control': control });
      context.body = events();
    });
    return listen(http.createServer(app.callback()));
  },
  '@fastify/compress': async (control) => {
    const app = (await load('fastify'))();
    await app.register(await load('@fastify/compress'));
    app.get('/', (_, reply) => reply.headers({ 'content-type': type, 'cache-control': control }).send(events()));
    await app.listen({ host: '127.0.0.1', port: 0 });
    return app.server.address().port;
  },
};
// What a client has after two of the five seconds that the stream runs.
async function after(port, accepted) {
  const seen = { status: null, bytes: 0 };
  const request = http.get({ host: '127.0.0.1', port, headers: { 'accept-encoding': accepted } }, (response) => {
    seen.status = response.statusCode;
    response.on('data', (chunk) => (seen.bytes += chunk.length)).on('error', () => {});
  });
  request.on('error', () => {});
  await sleep(2000);
  request.destroy();
  return { status: seen.status, bytes: seen.bytes > 100 ? 'events' : seen.bytes };
}
const every = { status: 200, bytes: 'events' };
for (const [name, start] of Object.entries(servers)) {
  const held = name !== '@fastify/compress';
  const port = await start('no-store');
  claim(`${name}, br and gzip taken`, await after(port, 'gzip, deflate, br'), held ? { status: null, bytes: 0 } : every);
  claim(`${name}, gzip taken`, await after(port, 'gzip'), held ? { status: 200, bytes: 10 } : every);
  claim(`${name}, no-transform`, await after(await start('no-store, no-transform'), 'gzip, deflate, br'), every);
}
finish();
JS

#!/usr/bin/env bash
# Software: npm @hapi/h2o2 10.0.4 on @hapi/hapi 21.4.10; for comparison @fastify/reply-from 12.6.5 on fastify 5.12.8.
# Expected: an answer with `Cache-Control: no-transform` is passed on as it is (RFC 9111, section 5.2.2.6), and what has
#   come of a stream reaches the client.
# Seen: with a client that takes gzip, as every browser does, the stream is packed by hapi, and the packer is never
#   flushed: a status and gzip's ten bytes come, and no event for as long as 16 KiB or so are not full. A client that
#   does not take gzip gets each event at once, so that a trial with curl shows nothing.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @hapi/hapi@21.4.10 @hapi/h2o2@10.0.4 fastify@5.12.8 @fastify/reply-from@12.6.5
check <<'JS'
import http from 'node:http';
import Hapi from '@hapi/hapi';
import h2o2 from '@hapi/h2o2';
import replyFrom from '@fastify/reply-from';
import createFastify from 'fastify';
import { begin, claim, finish, serve, sleep } from './lib.mjs';

const server = await serve((_, response) => {
  begin(response, ': hello\n\n', { 'cache-control': 'no-store, no-transform' });
  const timer = setInterval(() => response.write('data: 1\n\n'), 100);
  response.on('close', () => clearInterval(timer));
});
const base = `http://127.0.0.1:${server.port}`;

async function hapi(options) {
  const proxy = Hapi.server({ host: '127.0.0.1', port: 0, ...options });
  await proxy.register(h2o2);
  const handler = { proxy: { uri: `${base}/view/stream`, passThrough: true } };
  proxy.route({ method: 'GET', path: '/view/stream', handler });
  await proxy.start();
  return proxy.info.port;
}
const port = await hapi({});

const fastify = createFastify();
fastify.register(replyFrom, { base });
fastify.get('/view/stream', (_, reply) => reply.from('/view/stream'));
await fastify.listen({ host: '127.0.0.1', port: 0 });

async function after4s(port, coding) {
  const seen = { coding: null, bytes: 0, control: null };
  const request = http.get({ host: '127.0.0.1', port, path: '/view/stream', agent: false, headers: { 'accept-encoding': coding } }, (response) => {
    seen.coding = response.headers['content-encoding'] ?? 'as it is';
    seen.control = response.headers['cache-control'];
    response.on('data', (chunk) => (seen.bytes += chunk.length)).on('error', () => {});
  });
  request.on('error', () => {});
  await sleep(4000);
  request.destroy();
  return { ...seen, bytes: seen.bytes > 200 ? 'events' : seen.bytes };
}
const right = { coding: 'as it is', bytes: 'events', control: 'no-store, no-transform' };
claim('h2o2, gzip taken, after 4 s', await after4s(port, 'gzip'), { ...right, coding: 'gzip', bytes: 10 });
claim('h2o2, gzip not taken', await after4s(port, 'identity'), right);
claim('h2o2 on a server with compression: false, gzip taken', await after4s(await hapi({ compression: false }), 'gzip'), right);
claim('reply-from, gzip taken', await after4s(fastify.server.address().port, 'gzip'), right);
finish();
JS

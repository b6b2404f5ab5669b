#!/usr/bin/env bash
# Software: npm koa-better-http-proxy 0.2.10 on koa 3.3.0; for comparison express-http-proxy 2.1.2 on express 5.3.0,
#   of which it is a port.
# Expected: what the server behind it has sent reaches the client, head first, as it does with the package that it was
#   made from.
# Seen: it reads the whole answer before it begins its own. The client of a stream gets not even a status, while the
#   proxy keeps every event in memory, for as long as the stream runs.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm koa@3.3.0 koa-better-http-proxy@0.2.10 express@5.3.0 express-http-proxy@2.1.2
check <<'JS'
import http from 'node:http';
import { begin, claim, finish, listen, serve, sleep, until } from './lib.mjs';

const load = async (name) => (await import(name)).default;
const proxies = {
  'koa-better-http-proxy': async (target) => {
    const app = new (await load('koa'))();
    return app.use((await load('koa-better-http-proxy'))(target)).callback();
  },
  'express-http-proxy': async (target) => (await load('express'))().use((await load('express-http-proxy'))(target)),
};
for (const [name, start] of Object.entries(proxies)) {
  let end;
  const server = await serve((_, response) => {
    begin(response, ': hello\n\n');
    const timer = setInterval(() => response.write('data: 1\n\n'), 100);
    end = () => {
      clearInterval(timer);
      response.end();
    };
  });
  const port = await listen(http.createServer(await start(`127.0.0.1:${server.port}`)));
  let [status, text] = [null, ''];
  http.get({ host: '127.0.0.1', port, path: '/view/stream' }, (response) => {
    status = response.statusCode;
    response.on('data', (chunk) => (text += chunk));
  });
  await sleep(3000);
  const events = () => text.split('data: 1\n\n').length - 1;
  claim(`${name}, after 3 s of a stream that runs`, { status, events: events() > 20 }, name.startsWith('koa') ? { status: null, events: false } : { status: 200, events: true });
  end();
  await until(() => events() > 20, 2000);
  claim(`${name}, after its end`, { status, events: events() > 20 }, { status: 200, events: true });
}
finish();
JS

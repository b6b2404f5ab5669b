#!/usr/bin/env bash
# Software: npm http-proxy-3 2.0.1, configurable-http-proxy 5.3.0, express-http-proxy 2.1.2, vite 8.4.0 (server.proxy);
#   for comparison httpxy 0.5.6 and http-proxy-middleware 4.2.1.
# Expected: when the server behind a proxy dies inside a chunked answer, the proxy ends its own answer in a way that
#   shows that it is incomplete (RFC 9112, section 8: a chunked message without its last chunk is incomplete), so that
#   an EventSource comes back.
# Seen: four of them close nothing. The client's connection stays open and silent, here for 5 s, by other measurements
#   for as long as one waits; EventSource stays OPEN and never comes back. The other two break the connection at once.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm http-proxy-3@2.0.1 configurable-http-proxy@5.3.0 express@5.3.0 express-http-proxy@2.1.2 vite@8.4.0 httpxy@0.5.6 \
  http-proxy-middleware@4.2.1
check <<'JS'
import http from 'node:http';
import { createRequire } from 'node:module';
import { begin, claim, finish, listen, serve, until } from './lib.mjs';

const over = (handler) => listen(http.createServer(handler));
const proxies = {
  'http-proxy-3': async (target) => {
    const { createProxyServer } = (await import('http-proxy-3')).default;
    const proxy = createProxyServer({ target });
    proxy.on('error', () => {});
    return over((request, response) => proxy.web(request, response));
  },
  'configurable-http-proxy': async (target) => {
    const { ConfigurableProxy } = createRequire(import.meta.url)('configurable-http-proxy');
    const quiet = { info() {}, debug() {}, warn() {}, error() {} };
    return listen(new ConfigurableProxy({ defaultTarget: target, log: quiet }).proxyServer);
  },
  'express-http-proxy': async (target) => {
    const express = (await import('express')).default;
    return over(express().use((await import('express-http-proxy')).default(target)));
  },
  vite: async (target) => {
    const { createServer } = await import('vite');
    const server = { host: '127.0.0.1', port: 0, proxy: { '/view': target } };
    const vite = await createServer({ configFile: false, logLevel: 'silent', server });
    await vite.listen();
    return vite.httpServer.address().port;
  },
  httpxy: async (target) => {
    const proxy = (await import('httpxy')).createProxyServer({ target });
    proxy.on('error', () => {});
    return over((request, response) => proxy.web(request, response).catch(() => {}));
  },
  'http-proxy-middleware': async (target) => {
    const express = (await import('express')).default;
    const { createProxyMiddleware } = await import('http-proxy-middleware');
    return over(express().use(createProxyMiddleware({ target, logger: { info() {}, warn() {}, error() {} } })));
  },
};
const right = ['httpxy', 'http-proxy-middleware'];

for (const [name, start] of Object.entries(proxies)) {
  const origin = await serve((_, response) => begin(response, 'retry: 1000\n\nid: 1\ndata: 1\n\n'));
  const port = await start(`http://127.0.0.1:${origin.port}`);
  let [text, end] = ['', 'open'];
  http.get({ host: '127.0.0.1', port, path: '/view/stream' }, (response) => {
    response.on('data', (chunk) => (text += chunk));
    response.on('end', () => (end = 'complete'));
    response.on('error', () => (end = 'broken'));
  });
  await until(() => text.includes('data: 1\n\n'), 5000);
  origin.cut();
  await until(() => end !== 'open', 5000);
  claim(`${name}, the event`, text.endsWith('data: 1\n\n'), true);
  claim(`${name}, the client's side after the server died`, end, right.includes(name) ? 'broken' : 'open');
}
finish();
JS

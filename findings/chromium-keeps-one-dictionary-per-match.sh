#!/usr/bin/env bash
# Software: Chromium 156.0.8078.108 of Debian 12 (CHROMIUM names another), driven by npm playwright-core 1.65.1.
# Expected: `Use-As-Dictionary: match="stream*"` is relative to the dictionary's own address (RFC 9842, 2.1.1). So
#   dictionaries at /a/dictionary and /b/dictionary are for /a/stream and /b/stream, and a browser has both.
# Seen: the second one takes the place of the first, since both have the same text in `match`: /a/stream is asked for
#   without a dictionary from then on. An `id` of its own for each changes nothing. With texts that differ, though they
#   mean the same (`../a/stream*`, `../b/stream*`), it has both.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm playwright-core@1.65.1
check <<'JS'
import http from 'node:http';
import { chromium } from 'playwright-core';
import { claim, finish, listen, sleep } from './lib.mjs';

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://host');
  if (pathname.endsWith('/dictionary')) {
    const rule = { 'use-as-dictionary': searchParams.get('rule'), 'cache-control': 'max-age=3600' };
    response.writeHead(200, { 'content-type': 'text/plain', ...rule }).end(`what ${pathname} is about`);
  } else if (pathname.endsWith('/stream')) {
    const has = 'available-dictionary' in request.headers;
    response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(has ? 'dictionary' : 'none');
  } else {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A page</title>');
  }
});
const port = await listen(server);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
console.log(`Chromium ${browser.version()}`);
// With which dictionary each stream is asked for, once all of them were fetched.
async function after(rules) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const text = (path) => page.evaluate(async (path) => (await fetch(path)).text(), path);
  for (const [view, rule] of Object.entries(rules)) await text(`/${view}/dictionary?rule=${encodeURIComponent(rule)}`);
  await sleep(1000);
  const asked = {};
  for (const view of Object.keys(rules)) asked[view] = await text(`/${view}/stream`);
  await context.close();
  return asked;
}
const rules = (rule) => ({ a: rule('a'), b: rule('b') });
const last = { a: 'none', b: 'dictionary' };
const both = { a: 'dictionary', b: 'dictionary' };
claim('one', await after({ a: 'match="stream*"' }), { a: 'dictionary' });
claim('two of equal match', await after(rules(() => 'match="stream*"')), last);
claim('the same with ids', await after(rules((view) => `match="stream*", id="${view}"`)), last);
claim('two of different match', await after(rules((view) => `match="../${view}/stream*"`)), both);
await browser.close();
server.close();
finish();
JS

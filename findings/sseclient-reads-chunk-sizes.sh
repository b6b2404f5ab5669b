#!/usr/bin/env bash
# Software: PyPI sseclient 0.0.27 over requests 2.34.2 and urllib3 2.8.0; for comparison filigran-sseclient 1.0.2.
# Expected: where a message is divided into chunks says nothing about what it holds (RFC 9112, section 7.1: the
#   receiver decodes the chunks to get the content), and packed content is unpacked by whoever asked for it.
# Seen: it reads the socket below both. Sizes of chunks are lines of the stream to it: they pass unnoticed while each
#   event is a chunk of its own, but an event in two chunks loses what stands in the second, keeps its id, and is
#   handed out as if it were whole. And it asks for gzip, and reads the packed bytes: not one event comes.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi sseclient==0.0.27 filigran-sseclient==1.0.2 requests==2.34.2 urllib3==2.8.0
check <<'JS'
import { gzipSync } from 'node:zlib';
import { begin, claim, finish, python, serve, sleep, until } from './lib.mjs';

const code = (module) => `
import json, sys, ${module}
for event in ${module}.SSEClient(sys.argv[1]):
    if event.data: print(json.dumps([event.id, event.data]), flush=True)
`;
const events = 'id: 1\ndata: [1, 2, 3]\n\nid: 2\ndata: [4]\n\n';
const asked = [];
const ways = {
  'chunks of whole events': async (response) => {
    begin(response, events.slice(0, 23));
    response.write(events.slice(23));
  },
  'an event in two chunks': async (response) => {
    begin(response, events.slice(0, 17));
    await sleep(100);
    response.write(events.slice(17));
  },
  gzip: async (response, request) => {
    asked.push(request.headers['accept-encoding'].includes('gzip'));
    begin(response, gzipSync(events), { 'content-encoding': 'gzip' });
    await sleep(1500);
    response.end();
  },
};
const whole = [['1', '[1, 2, 3]'], ['2', '[4]']];
const expected = {
  sseclient: [whole, [['1', '[1, 2'], ['2', '[4]']], []],
  filigran_sseclient: [whole, whole, whole],
};
for (const module of Object.keys(expected)) {
  for (const [index, [way, answer]] of Object.entries(ways).entries()) {
    const server = await serve((n, response, request) => n === 0 && answer(response, request));
    const run = python(code(module), server.url);
    await until(() => server.requests.length > 0, 10000);
    await until(() => run.lines.length > 1, 3000);
    run.child.kill();
    claim(`${module}, ${way}`, run.lines, expected[module][index]);
  }
}
claim('they ask for gzip', asked, [true, true]);
finish();
JS

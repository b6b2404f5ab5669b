#!/usr/bin/env bash
# Software: Node 22.23.5, 24.21.0, 25.9.0 and 26.9.0 (npm node-<platform>-<architecture>), and `fetch` of the last three;
#   for comparison 24.22.3 and 26.10.0, which are right.
# Expected: Zstandard data is one or more frames (RFC 8878, section 3), some of them to be skipped, and where it is
#   divided into pieces says nothing: createZstdDecompress() goes on until there is no more input, as createGunzip()
#   does over the members of gzip.
# Seen: where a frame ends within a piece, the stream ends: the rest of the piece is lost, and the reader sees a proper
#   end while the sender goes on. With each frame in a piece of its own nothing is lost, so that tests pass. `dcz` begins
#   with a frame to be skipped (RFC 9842, section 5): if the first event comes together with it, no event at all is
#   handed out. zstdDecompressSync() drops what is behind the first frame, too.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
kind="node-$(node -p 'process.platform + "-" + process.arch')"
install_npm $(for version in 22.23.5 24.21.0 24.22.3 25.9.0 26.9.0 26.10.0; do echo "node$version@npm:$kind@$version"; done)
cat > "$work/unpack.mjs" <<'JS'
import { createHash } from 'node:crypto';
import http from 'node:http';
import zlib from 'node:zlib';
import { listen, sleep } from './lib.mjs';

const dictionary = Buffer.from('event: delta\ndata: [{"insert":{"city":"Berlin","orders":7}}]\n\n'.repeat(9));
const event = (number) => `data: {"city":"Berlin","orders":${number}}\n\n`;
const dcz = [1, 2, 3].map((number) => zlib.zstdCompressSync(event(number), { dictionary }));
const zstd = [1, 2, 3].map((number) => zlib.zstdCompressSync(event(number)));
const magic = Buffer.from('5e2a4d1820000000', 'hex');
const head = Buffer.concat([magic, createHash('sha256').update(dictionary).digest()]);
const numbers = (text) => [...text.matchAll(/orders":(\d)/g)].map(([, number]) => Number(number));

// What is handed out of pieces that come one after another, and whether the stream has an end though none was sent.
async function unpacked(pieces, options) {
  const stream = zlib.createZstdDecompress(options);
  let text = '';
  let state = 'open';
  const read = async () => {
    for await (const chunk of stream) text += chunk;
    state = 'ended';
  };
  read().catch(({ code }) => (state = code));
  for (const piece of pieces) {
    if (state === 'open') stream.write(piece);
    await sleep(100);
  }
  return [numbers(text), state];
}

async function fetched(pieces) {
  const server = http.createServer(async (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'zstd' });
    for (const piece of pieces) {
      response.write(piece);
      await sleep(100);
    }
    response.end();
  });
  const response = await fetch(`http://127.0.0.1:${await listen(server)}/`);
  return numbers(await response.text());
}

const [a, b, c] = dcz;
console.log(JSON.stringify({
  'dcz, a frame in each piece': await unpacked([head, a, b, c], { dictionary }),
  'dcz, the head with the first event': await unpacked([Buffer.concat([head, a]), b, c], { dictionary }),
  'dcz, two events in a piece': await unpacked([head, Buffer.concat([a, b]), c], { dictionary }),
  'zstd, two events in a piece': await unpacked([Buffer.concat(zstd.slice(0, 2)), zstd[2]], {}),
  'zstd, at once': numbers(zlib.zstdDecompressSync(Buffer.concat(zstd)).toString()),
  'zstd, fetched': process.version.startsWith('v22.')
    ? 'has no zstd'
    : await fetched([Buffer.concat(zstd.slice(0, 2)), zstd[2]]),
}));
process.exit();
JS
check <<'JS'
import { execFileSync } from 'node:child_process';
import { claim, finish } from './lib.mjs';

const all = [[1, 2, 3], 'open'];
const right = [all, all, all, all, [1, 2, 3], [1, 2, 3]];
const wrong = [all, [[], 'ended'], [[1], 'ended'], [[1], 'ended'], [1]];
const expected = {
  '22.23.5': [...wrong, 'has no zstd'],
  '24.21.0': [...wrong, [1]],
  '25.9.0': [...wrong, [1]],
  '26.9.0': [...wrong, [1]],
  '24.22.3': right,
  '26.10.0': right,
};
for (const [version, answers] of Object.entries(expected)) {
  const program = `node_modules/node${version}/bin/node`;
  const seen = JSON.parse(execFileSync(program, ['--no-warnings', 'unpack.mjs'], { encoding: 'utf8' }));
  Object.entries(seen).forEach(([way, answer], index) => claim(`${version}, ${way}`, answer, answers[index]));
}
finish();
JS

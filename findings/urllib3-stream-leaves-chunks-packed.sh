#!/usr/bin/env bash
# Software: PyPI urllib3 2.8.0 with backports.zstd 1.8.0; for comparison requests 2.34.2 over it.
# Expected: a response that says `decode_content` is True unpacks what it hands out, as read(), read1() and iterating
#   over it do. Whether the body comes in chunks or with a length says nothing about that.
# Seen: stream() unpacks a body with a length, and hands out one in chunks as it is: packed bytes, and no error. Event
#   streams have no length, so that all of them are concerned. stream(decode_content=True) is right, and so is requests,
#   which says that. read_chunked() is as stream().
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi urllib3==2.8.0 backports.zstd==1.8.0 requests==2.34.2
check <<'JS'
import { gzipSync } from 'node:zlib';
import { claim, finish, python, serve, until } from './lib.mjs';

const code = `
import json, sys, requests, urllib3
url, headers = sys.argv[1], urllib3.make_headers(accept_encoding="gzip,zstd")
def opened(): return urllib3.request("GET", url, headers=headers, preload_content=False)
def said(way, body): print(json.dumps([way, body if isinstance(body, bool) else
    body.decode() if body.isascii() else "packed: " + body[:4].hex()]), flush=True)
said("decode_content", opened().decode_content)
said("read()", opened().read())
said("read1()", opened().read1())
said("iterating", b"".join(opened()))
said("stream()", b"".join(opened().stream()))
said("stream(decode_content=True)", b"".join(opened().stream(decode_content=True)))
said("requests", b"".join(requests.get(url, headers=headers, stream=True).iter_content(None)))
`;
const text = 'data: [1]\n\n';
// A frame with one block that is stored as it is.
const frame = Buffer.concat([Buffer.from('28b52ffd0038590000', 'hex'), Buffer.from(text)]);
for (const [coding, body] of [['gzip', gzipSync(text)], ['zstd', frame]]) {
  for (const how of ['a length', 'chunks']) {
    const server = await serve((n, response) => {
      const length = how === 'chunks' ? {} : { 'content-length': body.length };
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding, ...length });
      response.end(body);
    });
    const run = python(code, server.url);
    await until(() => run.over, 10000);
    if (run.errors) console.log(run.errors);
    const packed = `packed: ${body.subarray(0, 4).toString('hex')}`;
    const expected = {
      decode_content: true,
      'read()': text,
      'read1()': text,
      iterating: text,
      'stream()': how === 'chunks' ? packed : text,
      'stream(decode_content=True)': text,
      requests: text,
    };
    claim(`${coding} with ${how}`, Object.fromEntries(run.lines), expected);
    server.cut();
  }
}
finish();
JS

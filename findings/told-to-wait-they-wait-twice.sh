#!/usr/bin/env bash
# Software: PyPI requests-sse 0.5.3, aiohttp-sse-client 0.2.1.
# Expected: `retry: 1000` and an end of the stream: the client comes back a second later (the HTML standard: wait the
#   reconnection time; a user agent may wait longer where attempts fail, but this one did not).
# Seen: both wait twice as long as they are told, each time, from the first one on, after streams that
#   went well.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi requests-sse==0.5.3 aiohttp-sse-client==0.2.1
check <<'JS'
import { begin, claim, finish, python, serve, until } from './lib.mjs';

const clients = {
  'requests-sse': `
import sys
from requests_sse import EventSource
with EventSource(sys.argv[1]) as source:
    for event in source: pass
`,
  'aiohttp-sse-client': `
import asyncio, sys
from aiohttp_sse_client.client import EventSource
async def main():
    async with EventSource(sys.argv[1]) as source:
        async for event in source: pass
asyncio.run(main())
`,
};
for (const [name, code] of Object.entries(clients)) {
  for (const told of [500, 1000]) {
    const ends = [];
    const server = await serve((_, response) => {
      begin(response, `retry: ${told}\n\ndata: a\n\n`);
      response.end(() => ends.push(Date.now()));
    });
    const run = python(code, server.url);
    await until(() => server.requests.length > 2, 20000);
    run.child.kill();
    const waits = server.requests.slice(1, 3).map(({ at }, n) => Math.round((at - ends[n]) / told));
    claim(`${name}, told ${told} ms, waits by what it was told`, waits, [2, 2]);
  }
}
finish();
JS

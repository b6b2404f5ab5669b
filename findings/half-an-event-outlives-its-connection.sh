#!/usr/bin/env bash
# Software: npm @sanity/eventsource 5.0.4, @heroku/eventsource 1.0.7; PyPI aiohttp-sse-client 0.2.1;
#   for comparison npm eventsource 5.1.5.
# Expected: what is incomplete at the end of a connection is discarded, and each connection is parsed anew (the HTML
#   standard: "once the end of the file is reached, any pending data must be discarded").
# Seen: three clients keep the lines of the event that was cut, and put the next connection's first lines to them: one
#   event is handed out that no connection has sent. A server is safe if a block of its own comes first, as ours does
#   with `retry:` and a blank line; then they hand the half event out as it was cut, before anything new.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @sanity/eventsource@5.0.4 @heroku/eventsource@1.0.7 eventsource@5.1.5
install_pypi aiohttp-sse-client==0.2.1
check <<'JS'
import { begin, claim, eventSource, finish, python, serve, until } from './lib.mjs';

const standard = (name) => async (url, seen) => {
  new (await eventSource(name))(url).onmessage = (event) => seen.push(event.data);
};
const printed = (code) => async (url, seen) => {
  const run = python(code, url);
  run.lines.push = (line) => seen.push(line);
};
const clients = {
  '@sanity/eventsource': standard('@sanity/eventsource'),
  '@heroku/eventsource': standard('@heroku/eventsource'),
  'aiohttp-sse-client': printed(`
import asyncio, json, sys
from datetime import timedelta
from aiohttp_sse_client.client import EventSource
async def main():
    async with EventSource(sys.argv[1], reconnection_time=timedelta(milliseconds=50)) as source:
        async for event in source:
            if event.data: print(json.dumps(event.data), flush=True)
asyncio.run(main())
`),
  eventsource: standard('eventsource'),
};

for (const [name, start] of Object.entries(clients)) {
  for (const opening of ['', 'retry: 100\n\n']) {
    const server = await serve((n, response) => {
      if (n > 0) return begin(response, `${opening}data: three\n\n`);
      begin(response, 'retry: 100\n\ndata: one\n\ndata: two\n');
      response.end();
    });
    const seen = [];
    await start(server.url, seen);
    await until(() => seen.some((data) => data.endsWith('three')), 5000);
    const right = ['one', 'three'];
    const wrong = opening === '' ? ['one', 'two\nthree'] : ['one', 'two', 'three'];
    claim(`${name}, ${opening === '' ? 'data first' : 'retry first'}`, seen, name === 'eventsource' ? right : wrong);
  }
}
finish();
JS

#!/usr/bin/env bash
# Software: PyPI httpx-sse 0.4.3 on httpx 0.28.1.
# Expected: a block with nothing but a comment, or without data, is no event (the HTML standard, "dispatch the event":
#   with empty data nothing is dispatched).
# Seen: once an event has had an id, each comment that a blank line follows, as servers send to keep a connection open,
#   is handed out as an event named "message" with empty data and the last id. Before that, so is a block that holds
#   `retry` or `event` alone. Whoever parses an event's data before looking at its name fails at the first of them.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi httpx-sse==0.4.3 httpx==0.28.1
check <<'JS'
import { begin, claim, finish, python, serve, until } from './lib.mjs';

const server = await serve((_, response) => {
  begin(response, ': hello\n\nretry: 1000\n\nevent: delta\ndata: [1]\nid: 7\n\n: still here\n\n: still here\n\nevent: delta\ndata: [2]\nid: 8\n\n');
  response.end();
});
const run = python(`
import json, sys, httpx
from httpx_sse import connect_sse
with httpx.Client() as client, connect_sse(client, "GET", sys.argv[1]) as source:
    for event in source.iter_sse():
        print(json.dumps([event.event, event.data, event.id]), flush=True)
`, server.url);
await until(() => run.over, 20000);
claim('events that were handed out', run.lines, [
  ['message', '', ''],
  ['delta', '[1]', '7'],
  ['message', '', '7'],
  ['message', '', '7'],
  ['delta', '[2]', '8'],
]);
finish();
JS

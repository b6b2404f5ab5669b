#!/usr/bin/env bash
# Software: PyPI sseclient-py 1.9.0 over requests 2.34.2.
# Expected: an event of twice the length takes twice the time, at the speed of parsing.
# Seen: in the way that its README shows, `SSEClient(requests.get(url, stream=True))`, requests hands out 128 bytes at a
#   time, and what there is of the event is copied at each of them: twice the length takes about four times as long.
#   Given `response.iter_content(None)`, which hands on what has come, it is as fast as one expects.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi sseclient-py==1.9.0 requests==2.34.2
SECONDS_MAX=120 check <<'JS'
import { begin, claim, finish, python, serve, until } from './lib.mjs';

const server = await serve((_, response, request) => {
  begin(response, `data: ${'x'.repeat(Number(request.url.split('/')[1]) * 1024)}\n\n`);
  response.end();
});
const run = python(`
import json, sys, time, requests, sseclient
for kib, whole in ((512, False), (1024, False), (1024, True)):
    response = requests.get(f"{sys.argv[1]}/{kib}", stream=True)
    began = time.monotonic()
    events = sseclient.SSEClient(response.iter_content(None) if whole else response).events()
    length = len(next(iter(events)).data)
    print(json.dumps([kib, length // 1024, round(time.monotonic() - began, 3)]), flush=True)
`, `http://127.0.0.1:${server.port}`);
await until(() => run.over, 110000);
const [half, all, whole] = run.lines.map(([, , seconds]) => seconds);
console.log(`  512 KiB: ${half} s, 1 MiB: ${all} s, 1 MiB with iter_content(None): ${whole} s`);
claim('lengths came through', run.lines.map(([kib, length]) => kib === length), [true, true, true]);
claim('twice the length takes more than 2.8 times as long', all / half > 2.8, true);
claim('iter_content(None) is more than 10 times as fast', all / whole > 10, true);
finish();
JS

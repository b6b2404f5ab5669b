#!/usr/bin/env bash
# Software: npm event-source-plus 0.1.15; for comparison eventsource 5.1.5.
# Expected: after an end of the stream a client waits before it comes back, as `retry:` says or some seconds (the HTML
#   standard: the reconnection time).
# Seen: it comes back within milliseconds, whatever `retry:` says: told to wait 5 s, more than a hundred times in two
#   seconds. Its own backoff is for attempts that fail, and a stream that ends is none.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm event-source-plus@0.1.15 eventsource@5.1.5
check <<'JS'
import { EventSourcePlus } from 'event-source-plus';
import { EventSource } from 'eventsource';
import { begin, claim, finish, serve, sleep } from './lib.mjs';

const ending = () => serve((_, response) => {
  begin(response, 'retry: 5000\n\ndata: full\n\n');
  response.end();
});
const [hasty, patient] = [await ending(), await ending()];
const stop = new EventSourcePlus(hasty.url).listen({ onMessage() {} });
const source = new EventSource(patient.url);
await sleep(2000);
stop.abort();
source.close();
claim('event-source-plus, more than 100 requests in 2 s', hasty.requests.length > 100, true);
claim('eventsource, requests in 2 s', patient.requests.length, 1);
finish();
JS

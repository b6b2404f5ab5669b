#!/usr/bin/env bash
# Software: npm launchdarkly-eventsource 2.2.0 on Node 20 (19 and later); for comparison eventsource 5.1.5.
# Expected: a stream that is silent stays open, as long as nobody has set a time to wait for bytes; and a message that
#   names the time that was set.
# Seen: with no such option the stream is left after 5 s without a byte, by the default of Node's agent, which is meant
#   for connections that nobody uses. The message is "received no data in undefinedms". A server that sends a heartbeat
#   each 15 s sees it come back three times between two of them. readTimeoutMillis, set, is kept.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm launchdarkly-eventsource@2.2.0 eventsource@5.1.5
check <<'JS'
import { begin, claim, eventSource, finish, serve, sleep } from './lib.mjs';

const LaunchDarkly = await eventSource('launchdarkly-eventsource');
const EventSource = await eventSource('eventsource');
async function watch(start) {
  const server = await serve((_, response) => begin(response, 'retry: 100\n\ndata: a\n\n'));
  const messages = new Set();
  start(server.url).onerror = ({ message }) => messages.add(message);
  await sleep(12000);
  return { connections: server.requests.length, messages: [...messages] };
}
const seen = await Promise.all([
  watch((url) => new LaunchDarkly(url)),
  watch((url) => new LaunchDarkly(url, { readTimeoutMillis: 40000 })),
  watch((url) => new EventSource(url)),
]);
claim('launchdarkly-eventsource, 12 s', seen[0].connections, 3);
claim('what it says', seen[0].messages.filter((message) => message.includes('no data')), ['Read timeout, received no data in undefinedms, assuming connection is dead']);
claim('launchdarkly-eventsource with readTimeoutMillis: 40000, 12 s', seen[1].connections, 1);
claim('eventsource, 12 s', seen[2].connections, 1);
finish();
JS

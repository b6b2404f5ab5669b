#!/usr/bin/env bash
# Software: npm eventsource 4.1.1, @c4312/eventsource-umd 3.0.5, eventsource-client 1.2.0, event-source-plus 0.1.15; for
#   comparison eventsource 5.1.5, launchdarkly-eventsource 2.2.0.
# Expected: each event carries the last id that the stream has named, also where it names none itself (the HTML standard,
#   "dispatch the event": lastEventId is that of the event source).
# Seen: the first two say an empty lastEventId, the others null or nothing, though on coming back they send the
#   right one. A program that keeps `event.lastEventId` as its position loses it at the first event without an id. In
#   eventsource this changed between 4 and 5.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm eventsource@5.1.5 eventsource-4@npm:eventsource@4.1.1 @c4312/eventsource-umd@3.0.5 eventsource-client@1.2.0 \
  event-source-plus@0.1.15 launchdarkly-eventsource@2.2.0
check <<'JS'
import { begin, claim, eventSource, finish, serve, until } from './lib.mjs';

const standard = (name) => async (url, seen) => {
  new (await eventSource(name))(url).onmessage = ({ data, lastEventId }) => seen.push([data, lastEventId]);
};
const onMessage = (seen) => ({ data, id }) => seen.push([data, id ?? 'none']);
const clients = {
  'eventsource 4.1.1': [standard('eventsource-4'), ''],
  '@c4312/eventsource-umd': [standard('@c4312/eventsource-umd'), ''],
  'eventsource-client': [async (url, seen) => (await import('eventsource-client')).createEventSource({ url, onMessage: onMessage(seen) }), 'none'],
  'event-source-plus': [async (url, seen) => new (await import('event-source-plus')).EventSourcePlus(url).listen({ onMessage: onMessage(seen) }), 'none'],
  'eventsource 5.1.5': [standard('eventsource'), '7'],
  'launchdarkly-eventsource': [standard('launchdarkly-eventsource'), '7'],
};
for (const [name, [start, id]] of Object.entries(clients)) {
  const server = await serve((_, response) => begin(response, 'data: [1]\nid: 7\n\ndata: []\n\n'));
  const seen = [];
  await start(server.url, seen);
  await until(() => seen.length > 1, 5000);
  claim(name, seen, [['[1]', '7'], ['[]', id]]);
}
finish();
JS

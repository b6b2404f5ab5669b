#!/usr/bin/env bash
# Software: npm eventsource 4.1.1, eventsource-client 1.2.0, event-source-plus 0.1.15, launchdarkly-eventsource 2.2.0,
#   @c4312/eventsource-umd 3.0.5; for comparison eventsource 5.1.5 and undici 7.30.2.
# Expected: an id in a block that has no data is the last id all the same. The HTML standard (server-sent events,
#   "dispatch the event") sets the last event id first, and then looks whether the data is empty and no event is due.
# Seen: five clients come back with the id before it. eventsource does it right since 5; undici does.
#   So a server cannot move clients on by ids alone: what the id stands for would be sent to them again.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm eventsource@5.1.5 eventsource-4@npm:eventsource@4.1.1 eventsource-client@1.2.0 event-source-plus@0.1.15 \
  launchdarkly-eventsource@2.2.0 @c4312/eventsource-umd@3.0.5 undici@7.30.2
check <<'JS'
import { begin, claim, eventSource, finish, serve, until } from './lib.mjs';

const standard = (name) => async (url) => new (await eventSource(name))(url);
const clients = {
  'eventsource 4.1.1': standard('eventsource-4'),
  'eventsource-client': async (url) => (await import('eventsource-client')).createEventSource({ url, onMessage() {} }),
  'event-source-plus': async (url) => new (await import('event-source-plus')).EventSourcePlus(url).listen({ onMessage() {} }),
  'launchdarkly-eventsource': async (url) => {
    const EventSource = await eventSource('launchdarkly-eventsource');
    return new EventSource(url, { initialRetryDelayMillis: 100 });
  },
  '@c4312/eventsource-umd': standard('@c4312/eventsource-umd'),
  'eventsource 5.1.5': standard('eventsource'),
  undici: standard('undici'),
};

for (const [name, start] of Object.entries(clients)) {
  const server = await serve((n, response) => {
    if (n > 0) return begin(response, ': silence\n\n');
    begin(response, 'retry: 100\n\nid: 1\ndata: a\n\nid: 2\n\n');
    response.end();
  });
  await start(server.url);
  await until(() => server.requests.length > 1, 5000);
  const right = ['eventsource 5.1.5', 'undici'].includes(name);
  claim(`${name} comes back with`, server.requests[1]?.headers['last-event-id'], right ? '2' : '1');
}
finish();
JS

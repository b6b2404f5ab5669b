#!/usr/bin/env bash
# Software: npm @microsoft/fetch-event-source 2.0.1, @fortaine/fetch-event-source 3.0.6, extended-eventsource 2.1.0,
#   @sanity/eventsource 5.0.4, @heroku/eventsource 1.0.7; for comparison eventsource 5.1.5.
# Expected: an event that the end of a connection cuts is dropped, with its id. The HTML standard sets the last event
#   id where an event is dispatched, at its blank line, and discards what is incomplete at the end.
# Seen: five clients take the id as its line is read. Cut between `id` and the blank line they never hand the event out,
#   and come back with its id: a server that goes on behind it leaves a hole for ever.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @microsoft/fetch-event-source@2.0.1 @fortaine/fetch-event-source@3.0.6 extended-eventsource@2.1.0 \
  @sanity/eventsource@5.0.4 @heroku/eventsource@1.0.7 eventsource@5.1.5
check <<'JS'
import { begin, claim, eventSource, finish, pretendBrowser, serve, until } from './lib.mjs';

pretendBrowser();

const fetched = (name) => async (url, onmessage) => {
  const { fetchEventSource } = await import(name);
  const onclose = () => { throw new Error('come back'); };
  fetchEventSource(url, { fetch, onmessage, onclose, openWhenHidden: true }).catch(() => {});
};
const standard = (name) => async (url, onmessage) => {
  new (await eventSource(name))(url).onmessage = onmessage;
};
const clients = {
  '@microsoft/fetch-event-source': fetched('@microsoft/fetch-event-source'),
  '@fortaine/fetch-event-source': fetched('@fortaine/fetch-event-source'),
  'extended-eventsource': standard('extended-eventsource'),
  '@sanity/eventsource': standard('@sanity/eventsource'),
  '@heroku/eventsource': standard('@heroku/eventsource'),
  eventsource: standard('eventsource'),
};

for (const [name, start] of Object.entries(clients)) {
  const server = await serve((n, response) => {
    if (n > 0) return begin(response, ': silence\n');
    begin(response, 'retry: 100\n\nid: 1\ndata: one\n\nid: 2\ndata: tw');
    response.end();
  });
  const handed = [];
  await start(server.url, (event) => event.data && handed.push(event.data));
  await until(() => server.requests.length > 1, 5000);
  claim(`${name} was handed out`, handed, ['one']);
  claim(`${name} comes back with`, server.requests[1]?.headers['last-event-id'], name === 'eventsource' ? '1' : '2');
}
finish();
JS

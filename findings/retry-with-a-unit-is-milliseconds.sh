#!/usr/bin/env bash
# Software: npm @microsoft/fetch-event-source 2.0.1, extended-eventsource 2.1.0, @sanity/eventsource 5.0.4,
#   launchdarkly-eventsource 2.2.0; for comparison eventsource 5.1.5.
# Expected: a `retry` that is anything but digits is passed over (the HTML standard, "process the field"), so that a
#   server's `retry: 5s` changes nothing.
# Seen: four clients take the digits that it begins with, as milliseconds: they come back after 5 ms in place of what
#   they were told before (here 1 s). Where each attempt is told that again, they come back some hundred times a second.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @microsoft/fetch-event-source@2.0.1 extended-eventsource@2.1.0 @sanity/eventsource@5.0.4 \
  launchdarkly-eventsource@2.2.0 eventsource@5.1.5
check <<'JS'
import { begin, claim, eventSource, finish, pretendBrowser, serve, sleep } from './lib.mjs';

pretendBrowser();

const standard = (name) => async (url) => {
  const source = new (await eventSource(name))(url);
  return () => source.close();
};
const clients = {
  '@microsoft/fetch-event-source': async (url) => {
    const { fetchEventSource } = await import('@microsoft/fetch-event-source');
    const stop = new AbortController();
    const onclose = () => { throw new Error('come back'); };
    fetchEventSource(url, { fetch, onclose, openWhenHidden: true, signal: stop.signal }).catch(() => {});
    return () => stop.abort();
  },
  'extended-eventsource': standard('extended-eventsource'),
  '@sanity/eventsource': standard('@sanity/eventsource'),
  'launchdarkly-eventsource': standard('launchdarkly-eventsource'),
  eventsource: standard('eventsource'),
};
for (const [name, start] of Object.entries(clients)) {
  const server = await serve((_, response) => {
    begin(response, 'retry: 1000\n\ndata: a\n\nretry: 5s\n\n');
    response.end();
  });
  const stop = await start(server.url);
  await sleep(2500);
  stop();
  const often = server.requests.length;
  claim(`${name}, requests in 2.5 s`, often <= 4 ? 'at most 4' : often > 20 ? 'more than 20' : often, name === 'eventsource' ? 'at most 4' : 'more than 20');
}
finish();
JS

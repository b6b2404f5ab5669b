#!/usr/bin/env bash
# Software: npm @heroku/eventsource 1.0.7, @sentool/fetch-event-source 0.6.0; for comparison
#   @sanity/eventsource 5.0.4, which shares its origin with the first, and fetch-sse 1.2.1.
# Expected: a stream is decoded as a whole (the HTML standard, "UTF-8 decode" of all that comes): where the network
#   divides it says nothing.
# Seen: each read is decoded by itself. A character whose bytes come in two reads becomes U+FFFD, two to four times; the
#   more text is beyond ASCII and the longer events are, the more often. No error is raised.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @heroku/eventsource@1.0.7 @sentool/fetch-event-source@0.6.0 fetch-sse@1.2.1 @sanity/eventsource@5.0.4
check <<'JS'
import { begin, claim, eventSource, finish, serve, sleep, until } from './lib.mjs';

const standard = (name) => async (url, seen) => {
  new (await eventSource(name))(url).onmessage = ({ data }) => seen.push(data);
};
const fetched = (name, method, handler) => async (url, seen) => {
  const options = { parseJson: false, [handler]: (event) => event?.data && seen.push(event.data) };
  (await import(name))[method](url, options);
};
const clients = {
  '@heroku/eventsource': standard('@heroku/eventsource'),
  '@sentool/fetch-event-source': fetched('@sentool/fetch-event-source', 'fetchEventSource', 'onmessage'),
  'fetch-sse': fetched('fetch-sse', 'fetchEventData', 'onMessage'),
  '@sanity/eventsource': standard('@sanity/eventsource'),
};
const bytes = Buffer.from('data: "Ångström"\n\n');
for (const [name, start] of Object.entries(clients)) {
  const server = await serve(async (_, response) => {
    begin(response, bytes.subarray(0, 8)); // amid the first letter
    await sleep(200);
    response.write(bytes.subarray(8));
  });
  const seen = [];
  await start(server.url, seen);
  await until(() => seen.length > 0, 5000);
  const right = ['@sanity/eventsource', 'fetch-sse'].includes(name);
  claim(name, seen, [right ? '"Ångström"' : '"\ufffd\ufffdngström"']);
}
finish();
JS

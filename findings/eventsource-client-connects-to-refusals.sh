#!/usr/bin/env bash
# Software: npm eventsource-client 1.2.0; for comparison eventsource 5.1.5.
# Expected: an answer that is no event stream, or says anything but 200, is no connection (the HTML standard, "the
#   fetch": then the connection fails); what stands in its body is not for the application.
# Seen: it calls onConnect for a 503 and hands out events that stand in the body of it, here an error page of a proxy
#   that is no stream by its type either. Whoever resets a backoff in onConnect never backs off.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm eventsource-client@1.2.0 eventsource@5.1.5
check <<'JS'
import { createEventSource } from 'eventsource-client';
import { EventSource } from 'eventsource';
import { claim, finish, serve, sleep, until } from './lib.mjs';

const refuse = () => serve((_, response) => {
  response.writeHead(503, { 'content-type': 'text/html' });
  response.end('<h1>Away</h1>\nretry: 100\n\ndata: no event of yours\n\n');
});
const seen = { connects: 0, events: [] };
const server = await refuse();
const client = createEventSource({
  url: server.url,
  onConnect: () => (seen.connects += 1),
  onMessage: ({ data }) => seen.events.push(data),
});
await until(() => seen.connects >= 2, 10000);
client.close();
claim('eventsource-client, onConnect called at least twice', seen.connects >= 2, true);
claim('what it handed out', seen.events[0], 'no event of yours');

const other = { opens: 0, events: 0, state: null };
const source = new EventSource((await refuse()).url);
source.onopen = () => (other.opens += 1);
source.onmessage = () => (other.events += 1);
await sleep(1000);
claim('eventsource', { ...other, state: source.readyState }, { opens: 0, events: 0, state: EventSource.CLOSED });
finish();
JS

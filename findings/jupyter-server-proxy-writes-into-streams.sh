#!/usr/bin/env bash
# Software: PyPI jupyter-server-proxy 4.6.0 (jupyter-server 2.21.1, tornado 6.6.1).
# Expected: when the server behind a proxy dies inside a chunked answer, the client gets what has come until then, and an
#   end by which it can tell that the answer is incomplete (RFC 9112, section 8).
# Seen: it puts the words "Connection closed" behind the last bytes, within the event that is cut, as if the server had
#   sent them, and ends the answer properly. A reader that takes what is there at the end of the stream for an event gets
#   data that nobody sent; one that keeps to the standard drops it with the incomplete event.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm parse-sse@0.1.0 eventsource-parser@4.1.3
install_pypi jupyter-server-proxy==4.6.0 jupyter-server==2.21.1 tornado==6.6.1
SECONDS_MAX=90 check <<'JS'
import http from 'node:http';
import { createParser } from 'eventsource-parser';
import { parseServerSentEvents } from 'parse-sse';
import { begin, claim, finish, jupyter, serve, until } from './lib.mjs';

const origin = await serve((_, response) => begin(response, 'id: 1\ndata: one\n\nid: 2\ndata: tw'));
const [port, path] = await jupyter(origin);
let [text, end] = ['', 'open'];
http.get({ host: '127.0.0.1', port, path, headers: { accept: 'text/event-stream' } }, (response) => {
  response.on('data', (chunk) => (text += chunk));
  response.on('end', () => (end = 'complete')).on('error', () => (end = 'broken'));
});
await until(() => text.endsWith('tw'), 10000);
origin.cut();
await until(() => end !== 'open', 5000);
claim('what the client has', text, 'id: 1\ndata: one\n\nid: 2\ndata: twConnection closed');
claim('its end', end, 'complete');

const strict = [];
createParser({ onEvent: ({ data }) => strict.push(data) }).feed(text);
claim('eventsource-parser reads', strict, ['one']);
const lenient = [];
const response = new Response(text, { headers: { 'content-type': 'text/event-stream' } });
for await (const { data } of parseServerSentEvents(response)) lenient.push(data);
claim('parse-sse reads', lenient, ['one', 'twConnection closed']);
finish();
JS

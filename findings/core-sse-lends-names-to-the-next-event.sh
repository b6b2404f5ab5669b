#!/usr/bin/env bash
# Software: npm @azure/core-sse 2.4.0; for comparison eventsource-parser 4.1.3 and parse-sse 0.1.0.
# Expected: a block without data is no event, and its name is over with it (the HTML standard, "dispatch the event":
#   with empty data the event type buffer is emptied, too); an id stays the last one for all events after it.
# Seen: the name of a block without data is given to the next event, and so is its `retry`. And ids hold for the one
#   event only, so that one without an id looks like one whose id is empty.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @azure/core-sse@2.4.0 eventsource-parser@4.1.3 parse-sse@0.1.0
check <<'JS'
import { createSseStream } from '@azure/core-sse';
import { createParser } from 'eventsource-parser';
import { parseServerSentEvents } from 'parse-sse';
import { claim, finish } from './lib.mjs';

const text = 'id: 1\ndata: a\n\nevent: full\nretry: 5000\n\ndata: b\n\n';
const response = () => new Response(text, { headers: { 'content-type': 'text/event-stream' } });
async function all(events) {
  const seen = [];
  for await (const event of events) seen.push(event);
  return seen;
}

const core = await all(createSseStream(response().body));
claim('@azure/core-sse', core.map(({ event, data, id, retry }) => [event, data, id, retry ?? null]), [
  ['', 'a', '1', null],
  ['full', 'b', '', 5000],
]);
const parsed = [];
createParser({ onEvent: ({ event, data }) => parsed.push([event ?? 'message', data]) }).feed(text);
claim('eventsource-parser', parsed, [['message', 'a'], ['message', 'b']]);
const read = await all(parseServerSentEvents(response()));
claim('parse-sse', read.map(({ type, data, lastEventId }) => [type, data, lastEventId]), [['message', 'a', '1'], ['message', 'b', '1']]);
finish();
JS

#!/usr/bin/env bash
# Software: npm @server-sent-stream/web 1.0.3; PyPI aiosseclient 0.1.8 on aiohttp 3.14.5; for comparison
#   eventsource-parser 4.1.3.
# Expected: lines of an event stream end at CR, LF or both, and at nothing else (the HTML standard, "parsing an event
#   stream"); U+2028, which JSON allows within texts, is a letter like others.
# Seen: the first ends lines at U+2028 and U+2029, the second there and at U+0085, U+000B, U+000C and U+001C to U+001E
#   (as Python's splitlines does). The rest of the text is passed over as a field that nobody knows.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_npm @server-sent-stream/web@1.0.3 eventsource-parser@4.1.3
install_pypi aiosseclient==0.1.8 aiohttp==3.14.5
check <<'JS'
import { createParser } from 'eventsource-parser';
import * as web from '@server-sent-stream/web';
import { begin, claim, finish, python, serve, until } from './lib.mjs';

const server = await serve((_, response) => {
  begin(response, ['\u2028', '\u2029', '\u0085', '\u000b', '\u001c'].map((letter) => `data: a${letter}b\n\n`).join(''));
  response.end();
});
const whole = ['a\u2028b', 'a\u2029b', 'a\u0085b', 'a\u000bb', 'a\u001cb'];
const escaped = (texts) => texts.map((text) => [...text].map((letter) => (/[a-z]/.test(letter) ? letter : `U+${letter.codePointAt(0).toString(16).padStart(4, '0')}`)).join(' '));

const Decoder = web.default ?? Object.values(web)[0];
const read = [];
const body = (await fetch(server.url)).body;
for await (const { data } of body.pipeThrough(new Decoder())) read.push(data);
claim('@server-sent-stream/web', escaped(read), escaped(['a', 'a', ...whole.slice(2)]));

const run = python(`
import asyncio, json, sys
from aiosseclient import aiosseclient
async def main():
    async for event in aiosseclient(sys.argv[1]):
        print(json.dumps(event.data), flush=True)
asyncio.run(main())
`, server.url);
await until(() => run.over || run.lines.length === 5, 10000);
claim('aiosseclient', escaped(run.lines), escaped(['a', 'a', 'a', 'a', 'a']));

const parsed = [];
createParser({ onEvent: ({ data }) => parsed.push(data) }).feed(await (await fetch(server.url)).text());
claim('eventsource-parser', escaped(parsed), escaped(whole));
finish();
JS

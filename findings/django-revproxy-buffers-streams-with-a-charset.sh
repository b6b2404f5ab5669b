#!/usr/bin/env bash
# Software: PyPI django-revproxy 0.13.0 on Django 5.2.19 and urllib3 2.8.0.
# Expected: a proxy that does not buffer `text/event-stream` does not buffer `text/event-stream; charset=utf-8` either: a
#   parameter does not change the type (RFC 9110, section 8.3.1).
# Seen: it compares the header as a whole. With the charset it waits for 64 KiB where the server marks the end of its
#   answer by closing; only where the server sends chunks each of them comes through, by urllib3's doing.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
install_pypi django-revproxy==0.13.0 Django==5.2.19 urllib3==2.8.0
check <<'JS'
import http from 'node:http';
import { claim, finish, python, serve, sleep, until } from './lib.mjs';

const server = await serve((_, response, request) => {
  const [, framing, charset] = request.url.split('/');
  if (framing === 'closing') {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
  }
  response.writeHead(200, { 'content-type': `text/event-stream${charset === 'utf-8' ? '; charset=utf-8' : ''}` });
  response.write(': hello\n\n');
  const timer = setInterval(() => response.write('data: 1\n\n'), 100);
  response.on('close', () => clearInterval(timer));
});
const proxy = python(`
import json, socketserver, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
import django
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", SECRET_KEY="of no use", INSTALLED_APPS=["revproxy"])
django.setup()
from django.core.wsgi import get_wsgi_application
from django.urls import re_path
from revproxy.views import ProxyView
urlpatterns = [re_path("^(?P<path>.*)$", ProxyView.as_view(upstream=sys.argv[1]))]

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

server = Server(("127.0.0.1", 0), Quiet)
server.set_app(get_wsgi_application())
print(json.dumps(server.server_port), flush=True)
server.serve_forever()
`, `http://127.0.0.1:${server.port}/`);
await until(() => proxy.lines.length > 0, 20000);

for (const way of ['closing/utf-8', 'closing/none', 'chunked/utf-8']) {
  let text = '';
  const request = http.get({ host: '127.0.0.1', port: proxy.lines[0], path: `/${way}/stream`, agent: false }, (response) => {
    response.on('data', (chunk) => (text += chunk)).on('error', () => {});
  });
  request.on('error', () => {});
  await sleep(4000);
  request.destroy();
  claim(`${way.replace('/', ', charset ')}: more than 20 events in 4 s`, text.split('data: 1').length > 20, way !== 'closing/utf-8');
}
finish();
JS

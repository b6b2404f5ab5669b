// Shared by the checks of the findings: a server of exact bytes, waiting with a bound, and claims.
import { spawn } from 'node:child_process';
import http from 'node:http';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Waits until `condition` holds, at most `ms`; says whether it does.
export async function until(condition, ms) {
  for (const end = Date.now() + ms; !condition() && Date.now() < end; ) await sleep(10);
  return condition();
}

// Listens on a free port of loopback. `server` is a node:http server.
export async function listen(server) {
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server.address().port;
}

// A server that answers the n-th request (from 0) with `answer(n, response, request)`.
// `requests` holds when each came, and its headers; `cut()` closes every connection, as a killed server would.
export async function serve(answer) {
  const requests = [];
  const sockets = new Set();
  const server = http.createServer((request, response) => {
    requests.push({ at: Date.now(), headers: request.headers });
    answer(requests.length - 1, response, request);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `http://127.0.0.1:${port}/view/stream`, port, requests, sockets, cut };
}

// Begins an event stream and sends `text`.
export function begin(response, text, headers = {}) {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
  response.write(text);
}

// The EventSource of a package, wherever its module keeps it.
export async function eventSource(name) {
  const module = await import(name);
  return module.EventSource ?? module.default.EventSource ?? module.default.default ?? module.default;
}

// What @microsoft/fetch-event-source and its forks take from a browser.
export function pretendBrowser() {
  console.error = console.warn = () => {}; // one of them reports every end
  globalThis.window = globalThis;
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
}

// Runs Python code with the packages of install_pypi; each line that it prints is JSON.
export function python(code, ...args) {
  const child = spawn('venv/bin/python', ['-W', 'ignore', '-c', code, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const run = { child, lines: [], errors: '', over: false };
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) run.lines.push(JSON.parse(line));
  });
  child.stderr.on('data', (chunk) => (run.errors += chunk));
  child.on('close', () => (run.over = true));
  process.on('exit', () => child.kill('SIGKILL'));
  return run;
}

// Starts a Jupyter server with jupyter-server-proxy, and says the port and path at which `origin` is reached through it.
export async function jupyter(origin) {
  const run = python(`
import json, os, socket, sys
for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
    os.environ[name] = os.getcwd()
from jupyter_server.serverapp import main
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
print(json.dumps(port), flush=True)
main(["--allow-root", "--no-browser", f"--port={port}", "--IdentityProvider.token=", "--ServerApp.log_level=CRITICAL"])
`);
  await until(() => run.lines.length > 0, 20000);
  const answers = () => fetch(`http://127.0.0.1:${run.lines[0]}/api`).then(({ ok }) => ok, () => false);
  for (const end = Date.now() + 30000; !(await answers()) && Date.now() < end; ) await sleep(200);
  return [run.lines[0], `/proxy/${origin.port}/view/stream`];
}

const changed = [];

// Prints what was seen of `what`, and remembers it as changed if it is not `expected`.
export function claim(what, seen, expected) {
  const [is, was] = [JSON.stringify(seen), JSON.stringify(expected)];
  console.log(`  ${what}: ${is}`);
  if (is !== was) changed.push(`${what}: ${is}, was ${was}`);
}

// Ends the check: status 0 only if every claim held.
export function finish() {
  for (const each of changed) console.log(`changed: ${each}`);
  if (changed.length === 0) console.log('as stated');
  process.exit(changed.length === 0 ? 0 : 1);
}

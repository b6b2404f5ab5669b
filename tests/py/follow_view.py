"""Runs the Python of docs/CLIENTS.md against gateways that are killed.

    VIEWCAST_BIN=target/debug/viewcast python tests/py/follow_view.py

Behind each kill, the rows that it holds at a position are compared with those
that `GET` gives with that `ETag`.
"""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import httpx

BINARY = os.environ["VIEWCAST_BIN"]
KILLS = 4
COMPARISONS = 3
PATIENCE_S = 120
VIEW = "user_edits"


def example():
    text = (pathlib.Path(__file__).parents[2] / "docs/CLIENTS.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), names)
    return names["follow"]


def start(pattern, *args):
    """Starts the binary, and gives it with what its log says in place of the pattern's group."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIEWCAST_", "RUST_LOG"))}
    process = subprocess.Popen([BINARY, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    for line in process.stderr:
        found = re.search(pattern, line)
        if found:
            threading.Thread(target=lambda: collections.deque(process.stderr, maxlen=0), daemon=True).start()
            return process, found.group(1)
    raise AssertionError(f"{args} ended: {process.wait()}")


def main():
    upstream, port = start(r"postgres://materialize@127\.0\.0\.1:(\d+)", "demo", "--tick", "100ms", "--rate", "200", "--listen", "127.0.0.1:0")
    gateway_of = lambda listen: start(
        r"listening on http://(\S+)", "--upstream", f"postgres://materialize@127.0.0.1:{port}/materialize", "--view", VIEW, "--listen", listen, "--heartbeat", "1s"
    )
    gateway, address = gateway_of("127.0.0.1:0")
    seen, stop = {}, threading.Event()

    def read():
        for rows, position in example()(f"http://{address}/{VIEW}/stream"):
            seen[position] = collections.Counter(rows)
            if stop.is_set():
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + PATIENCE_S

    def compare():
        compared = 0
        while compared < COMPARISONS:
            assert time.monotonic() < deadline, f"{compared} comparisons, {len(seen)} positions"
            try:
                response = httpx.get(f"http://{address}/{VIEW}")
            except httpx.TransportError:
                continue
            if response.status_code != 200:
                time.sleep(0.05)
                continue
            position = response.headers["etag"].strip('"')
            now = lambda: max((int(each.split("-")[0]) for each in list(seen)), default=0)
            while now() < int(position.split("-")[0]):
                assert time.monotonic() < deadline, f"waited for {position}, at {now()}"
                time.sleep(0.02)
            if position in seen:
                wanted = collections.Counter(json.dumps(row, ensure_ascii=False) for row in response.json())
                assert seen[position] == wanted, f"rows at {position}"
                compared += 1
        return compared

    try:
        compare()
        for kill in range(KILLS):
            gateway.send_signal(signal.SIGTERM if kill % 2 else signal.SIGKILL)
            gateway.wait()
            gateway, _ = gateway_of(address)
            print("kill", kill, compare(), "comparisons")
    finally:
        stop.set()
        gateway.kill()
        upstream.kill()


main()

"""Reads streams of a gateway with httpx-sse and compares them with snapshots.

    python sse_client.py http://127.0.0.1:8080 [gzip]

For each view: base and deltas are applied until a snapshot, taken meanwhile,
stands at a position that was passed; both must hold the same multiset of rows.
"""

import collections
import json
import sys

import httpx
from httpx_sse import connect_sse

COMPARISONS = 5


def timestamp(position):
    return int(position.split("-")[0])


def key(row):
    return json.dumps(row, sort_keys=True)


def follow(client, url, view, encoding):
    rows = collections.Counter()
    at = None
    changed = {}
    snapshots = {}
    compared = 0
    with connect_sse(client, "GET", f"{url}/{view}/stream") as source:
        assert source.response.headers.get("content-encoding", "identity") == encoding
        for event in source.iter_sse():
            if event.event == "base":
                assert at is None, "one base per connection"
                rows = collections.Counter(key(row) for row in json.loads(event.data))
            elif event.event == "delta":
                for change in json.loads(event.data):
                    if "insert" in change:
                        rows[key(change["insert"])] += 1
                    else:
                        row = key(change["delete"])
                        assert rows[row] > 0, "only what is there is deleted"
                        rows[row] -= 1
            elif event.retry is not None and not event.data:
                # The reconnection time; other clients keep it to themselves.
                continue
            else:
                raise AssertionError(f"unknown event {event.event}")
            at = timestamp(event.id)
            changed[at] = +rows
            response = client.get(f"{url}/{view}")
            snapshots[timestamp(response.headers["etag"].strip('"'))] = collections.Counter(
                key(row) for row in response.json()
            )
            for when in [when for when in snapshots if when in changed]:
                assert snapshots.pop(when) == changed[when], f"{view} at {when}"
                compared += 1
            if compared >= COMPARISONS:
                return compared


def main():
    url = sys.argv[1]
    encoding = sys.argv[2] if len(sys.argv) > 2 else "identity"
    with httpx.Client(timeout=60) as client:
        for view in ["top10", "counter", "edits_by_language", "user_edits"]:
            print(view, follow(client, url, view, encoding), "comparisons")


main()

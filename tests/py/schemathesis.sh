#!/usr/bin/env bash
# Has schemathesis ask a demo all that its /openapi.json describes: `make openapi`.
set -euo pipefail
cd "$(dirname "$0")/../.."

ours=target/schemathesis
version=4.32.5
if [ "$("$ours/bin/schemathesis" --version 2> /dev/null)" != "schemathesis, version $version" ]; then
    echo "make openapi: installing schemathesis $version into $ours"
    python3 -m venv --clear "$ours"
    "$ours/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

log=$(mktemp)
target/debug/viewcast demo --listen 127.0.0.1:0 --filter top10:count --compress auto 2> "$log" &
demo=$!
trap 'kill "$demo"; rm "$log"' EXIT
until url=$(grep -o 'listening on http://.*' "$log") && curl -sf "${url#listening on }/readyz" > /dev/null; do
    kill -0 "$demo" || { cat "$log"; exit 1; }
    sleep 0.2
done

# Not in the phase that follows what /views tells: it would wait for the ends of
# streams, which have none.
#
# Which columns a condition may name, a view's operator says and no schema: that
# a condition of the right form is refused is no fault.
"$ours/bin/schemathesis" --config-file tests/py/schemathesis.toml run "${url#listening on }/openapi.json" \
    --phases coverage,fuzzing --generation-deterministic --max-examples 50 --request-timeout 10 --exclude-checks positive_data_acceptance

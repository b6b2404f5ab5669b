#!/usr/bin/env bash
# A gateway and its subscribers on two hosts, network namespaces of this
# script's own, and the cable between them pulled: no FIN, no RST, no answer.
# The gateway has to let go of both streams, of the busy and of the idle one.
#
# usage: tests/pulled-cable.sh path/to/viewcast
#
# Prints "streams before: 2" and "streams after: 0". Needs ip, unshare and
# nsenter, but no privileges where user namespaces are allowed.
set -euo pipefail

if [ -z "${CABLE_INSIDE:-}" ]; then
    export CABLE_INSIDE=1
    # A fresh run begins without what an older one left.
    rm -f ./*.txt gateway.log
    # Whatever is left over ends with the namespace of processes.
    exec unshare --user --map-root-user --net --pid --fork --kill-child --mount-proc "$0" "$@"
fi

viewcast=$1
here=10.77.0.1
there=10.77.0.2

# Awaits that a command prints what is expected; half a minute is plenty.
await() {
    local expected=$1
    shift
    for _ in $(seq 1 300); do
        [ "$("$@" 2> /dev/null)" = "$expected" ] && return
        sleep 0.1
    done
    echo "not in time: '$expected' from $*" >&2
    exit 1
}

# The streams that are being served, of both views.
streams() {
    curl -s "http://$here:8080/metrics" | awk '/^viewcast_subscribers\{/ { sum += $2 } END { print sum + 0 }'
}

unshare --net sleep 600 &
other=$!
on_other() { nsenter --target "$other" --net "$@"; }
await "" on_other true
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done

ip link set lo up
ip link add cable type veth peer name cable-end netns "$other"
ip address add $here/24 dev cable
ip link set cable up
on_other ip address add $there/24 dev cable-end
on_other ip link set cable-end up

# One view that changes with each tick, and one that does not.
"$viewcast" demo --listen $here:8080 --rate 0.001 --tick 200ms --heartbeat 1h \
    --stall-timeout 2s --view mz_internal.mz_frontiers --view counter \
    > gateway.log 2>&1 &
await 200 curl -s -o /dev/null -w "%{http_code}" "http://$here:8080/readyz"

for view in mz_internal.mz_frontiers counter; do
    on_other curl -sN "http://$here:8080/$view/stream" -o "$view.txt" &
    while ! grep -q '^event: base' "$view.txt" 2> /dev/null; do sleep 0.1; done
done
await 2 streams
echo "streams before: $(streams)"
on_other ip link set cable-end down
await 0 streams
echo "streams after: $(streams)"

#!/bin/sh
# Puts the figures of a run into README.md, between two marks or before "Limits":
#     benches/table.sh benches/runs/2026-11-25-2-cores
# Each program's output has its lines between "<!-- goals -->" and "<!-- end -->".
set -eu
run=${1:?which run}
readme=${2:-README.md}
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    echo "<!-- bench: made by benches/table.sh -->"
    echo
    sed -n '1s/^\(commit [^,]*\), \(.*\), load .*/Run of \1 on \2, medians of three; the raw numbers are in ['"$(printf %s "$run" | sed 's/[\/&]/\\&/g')]($(printf %s "$run" | sed 's/[\/&]/\\&/g')"')./p' "$run/fanout.txt"
    echo
    for name in fanout core snapshot others windows; do
        [ -f "$run/$name.txt" ] || continue
        sed -n '/^<!-- goals -->$/,/^<!-- end -->$/p' "$run/$name.txt" | grep '^|'
    done | awk '!/^\|(---| what )/ || !seen[$0]++'
    echo
    echo "<!-- bench end -->"
} > "$new"
awk -v file="$new" '
    function insert() { while ((getline line < file) > 0) print line; close(file); done = 1 }
    /^<!-- bench:/ { insert(); skip = 1 }
    # The first time: a section of its own.
    /^## Limits$/ && !done { print "## What it costs\n"; insert(); print "" }
    !skip { print }
    /^<!-- bench end -->/ { skip = 0 }
    END { exit !done }
' "$readme" > "$readme.new" && mv "$readme.new" "$readme" || {
    rm -f "$readme.new"
    echo "$readme has neither a line that begins with <!-- bench: nor the heading Limits" >&2
    exit 1
}

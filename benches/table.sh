#!/bin/sh
# Puts the figures of a run into docs/PERFORMANCE.md, between its two marks:
#     benches/table.sh benches/runs/2026-11-25-2-cores
# Each program's output has its lines between "<!-- goals -->" and "<!-- end -->".
set -eu
run=${1:?which run}
document=${2:-docs/PERFORMANCE.md}
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    echo "<!-- bench: made by benches/table.sh -->"
    echo
    sed -n '1s/^\(commit [^,]*\), \(.*\), load .*/Run of \1 on \2, medians of three; the raw numbers are in ['"$(printf %s "$run" | sed 's/[\/&]/\\&/g')](..\/$(printf %s "$run" | sed 's/[\/&]/\\&/g')"')./p' "$run/fanout.txt"
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
    !skip { print }
    /^<!-- bench end -->/ { skip = 0 }
    END { exit !done }
' "$document" > "$document.new" && mv "$document.new" "$document" || {
    rm -f "$document.new"
    echo "$document has no line that begins with <!-- bench:" >&2
    exit 1
}

#!/usr/bin/env bash
# bench.sh [NAME...]: run benchmarks, all of them or those whose file name holds NAME.
#
# Every benchmark prints JSON lines; they are shown and kept in benchmarks/results/.
# A failing benchmark does not stop the others, but fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

results=benchmarks/results/$(date -u +%Y%m%dT%H%M%SZ).jsonl
mkdir -p benchmarks/results
failed=()

wanted() {
    local file=$1 name
    shift
    [ $# -gt 0 ] || return 0
    for name in "$@"; do
        [[ $(basename "$file" .py) == *"$name"* ]] && return 0
    done
    return 1
}

# files that begin with an underscore are what benchmarks share
for file in benchmarks/[!_]*.py; do
    if [ ! -e "$file" ] || ! wanted "$file" "$@"; then
        continue
    fi
    echo "== $file" >&2
    tools/with_screen.sh .venv/bin/python "$file" | tee -a "$results" || failed+=("$file")
done

if [ -s "$results" ]; then
    echo "Results: $results" >&2
fi
if [ "${#failed[@]}" -gt 0 ]; then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi

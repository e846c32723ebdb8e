#!/usr/bin/env bash
# Runs every check to the end, then says in its last lines what passed, failed and was left out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

python=.venv/bin/python
export HASHWORLD_DATA_DIR=.mypy_cache/data # mypy reads the settings, and those make their folder
log=$(mktemp)
trap 'rm -f "$log"' EXIT
workers=$(nproc)
workers=$((workers < 2 ? 2 : workers > 8 ? 8 : workers))
summary=()
failed=0

stage() {
    local name=$1 code verdict
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    case $code in
    0) verdict=passed ;;
    77) verdict="LEFT OUT" ;; # automake's code for a skipped test, used by tests.services
    *) verdict=FAILED failed=1 ;;
    esac
    summary+=("$(printf '%-9s %-46s %s' "$verdict" "$name" "$(tail -n 1 "$log" | sed 's/^[= ]*//; s/[= ]*$//')")")
}

# What knows neither database nor broker, and what only shows and asks what the rest tells.
elsewhere=(fetcher chatroom console cli api)

if [ "${1:-}" = long ]; then
    stage "long system tests, embedded footing" $python -m pytest tests/system -m long
    stage "long system tests, cluster footing" \
        $python -m tests.services run -- $python -m pytest tests/system -m long
    stage "admin, doors and commands, cluster footing" \
        $python -m tests.services run -- $python -m pytest tests/integration/{console,cli,api}
    printf '\n== summary\n'
    printf '%s\n' "${summary[@]}"
    exit $failed
fi

stage "style" $python -m ruff check .
stage "formatting" $python -m ruff format --check .
stage "types" $python -m mypy
stage "unit tests" $python -m pytest tests/unit -n $workers
stage "integration tests, embedded footing" \
    $python -m pytest tests/integration -n $workers
stage "system tests, embedded footing" $python -m pytest tests/system -m "not long"
stage "integration tests, cluster footing" \
    $python -m tests.services run -- $python -m pytest tests/integration -m "not servers" \
    -n $workers "${elsewhere[@]/#/--ignore=tests/integration/}"
stage "tests that change servers, cluster footing" \
    $python -m tests.services run -- $python -m pytest tests/integration -m servers
stage "system tests, cluster footing" \
    $python -m tests.services run -- $python -m pytest tests/system -m "not long"

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
exit $failed

#!/usr/bin/env bash
# Runs every check to the end, then says in its last lines what passed, failed and was left out.
# `test.sh long` runs what `make test` leaves out to stay below 15 minutes: the tests marked `long`,
# 10,000 races in the place of 180, and on the cluster footing what admin, doors and commands say.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

python=.venv/bin/python
export HASHWORLD_DATA_DIR=.mypy_cache/data # mypy reads the settings, and those make their folder
unset PYTHONDONTWRITEBYTECODE              # else each of some hundred processes compiles all of it anew
logs=$(mktemp -d)
workers=$(nproc)
workers=$((workers < 2 ? 2 : workers > 8 ? 8 : workers))
names=() pids=() summary=()
failed=0

# Starts a stage beside others; its output stands in a file until `finish` prints it. With job
# control each is a process group of its own, which Ctrl-C does not reach by itself.
begin() {
    local name=$1
    shift
    set -m
    "$@" >"$logs/$name" 2>&1 </dev/null &
    set +m
    names+=("$name") pids+=($!)
}

# Waits for all that was begun, prints each when it is done, and meanwhile how far they are.
finish() {
    local i code told=$SECONDS
    while [ ${#pids[@]} -gt 0 ]; do
        sleep 1
        for i in "${!pids[@]}"; do
            if kill -0 "${pids[i]}" 2>/dev/null; then continue; fi
            wait "${pids[i]}"
            code=$?
            printf '\n== %s\n' "${names[i]}"
            cat "$logs/${names[i]}"
            note "${names[i]}" $code
            unset "names[i]" "pids[i]"
        done
        if ((SECONDS - told >= 20)); then
            told=$SECONDS
            for i in "${!pids[@]}"; do
                printf -- '-- %4d s, %s: %s\n' "$SECONDS" "${names[i]}" \
                    "$(grep -o '\[ *[0-9]*%\]' "$logs/${names[i]}" | tail -n 1)"
            done
        fi
    done
}

# What a stage says of itself: pytest's last line, which threads that end later may write below.
result() {
    { grep -E '^=+ .* in [0-9.]+s' "$1" || sed '/^ *$/d' "$1"; } | tail -n 1 | sed 's/^[= ]*//; s/[= ]*$//'
}

note() {
    local name=$1 code=$2 verdict
    case $code in
    0) verdict=passed ;;
    77) verdict="LEFT OUT" ;; # automake's code for a skipped test, used by tests.services
    *) verdict=FAILED failed=1 ;;
    esac
    summary+=("$(printf '%-9s %-46s %s' "$verdict" "$name" "$(result "$logs/$name")")")
}

stage() {
    local name=$1
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$logs/$name"
    note "$name" "${PIPESTATUS[0]}"
}

# Whatever runs beside is told as a terminal would tell it, and given time to stop its servers.
# shellcheck disable=SC2317 # a trap calls it
interrupted() {
    local pid
    trap - INT TERM
    for pid in "${pids[@]}"; do kill -INT -- "-$pid" 2>/dev/null; done
    wait
    exit 130
}
trap interrupted INT TERM
trap 'rm -rf "$logs"' EXIT

pytest=("$python" -m pytest)
on_services=("$python" -m tests.services run -- "${pytest[@]}")

# What knows neither database nor broker, and what only shows and asks what the rest tells.
elsewhere=(fetcher chatroom console cli api)

if [ "${1:-}" = long ]; then
    stage "long system tests, embedded footing" "${pytest[@]}" tests/system -m long
    stage "long system tests, cluster footing" "${on_services[@]}" tests/system -m long
    stage "admin, doors and commands, cluster footing" \
        "${on_services[@]}" tests/integration/{console,cli,api}
    export HASHWORLD_TEST_RACES=10000
    stage "10,000 races, embedded footing" "${pytest[@]}" -s tests/integration/tasks/test_races.py
    stage "10,000 races, cluster footing" \
        "${on_services[@]}" -s tests/integration/tasks/test_races.py
else
    stage "style" $python -m ruff check .
    stage "formatting" $python -m ruff format --check .
    # One process that computes, beside two that now and then wait.
    begin "types" $python -m mypy
    begin "unit tests" "${pytest[@]}" tests/unit -n "$workers"
    finish
    stage "integration tests, embedded footing" "${pytest[@]}" tests/integration -n "$workers"
    stage "integration tests, cluster footing" \
        "${on_services[@]}" tests/integration -m "not servers" -n "$workers" \
        "${elsewhere[@]/#/--ignore=tests/integration/}"
    # These wait for leases, broken servers and starting processes most of their time.
    begin "system tests, embedded footing" "${pytest[@]}" tests/system -m "not long"
    begin "system tests, cluster footing" "${on_services[@]}" tests/system -m "not long"
    begin "tests that change servers, cluster footing" "${on_services[@]}" tests/integration -m servers
    finish
fi

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
exit $failed

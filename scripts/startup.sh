#!/usr/bin/env bash
# Waits for what a role needs, migrates when asked, then becomes the role's process.
set -euo pipefail

usage="usage: startup.sh [--wait HOST:PORT...] [--timeout SECONDS] [--migrate | --migrated] [--] ROLE [ARGUMENTS]
--migrate brings the database up to date; --migrated waits until somebody else has.
roles: web, worker, scheduler, flower, chatroom, rpc, migrate, shell; or any command"

wrong() {
    printf 'startup: %s\n%s\n' "$1" "$usage" >&2
    exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${HASHWORLD_PYTHON:-}
if [ -z "$python" ]; then
    python=python3
    if [ -x "$root/.venv/bin/python" ]; then python=$root/.venv/bin/python; fi
fi
export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH}
manage=("$python" "$root/src/manage.py")
celery=("$python" -m celery --quiet -A hashworld.celery)

addresses=()
timeout=120
migrate=
migrated=
while [ $# -gt 0 ]; do
    case $1 in
    --wait)
        shift
        before=${#addresses[@]}
        while [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; do
            [[ $1 =~ ^[^:[:space:]]+:[0-9]+$ ]] ||
                wrong "--wait: '$1' is not HOST:PORT (put -- before the role)"
            addresses+=("$1")
            shift
        done
        [ ${#addresses[@]} -gt "$before" ] || wrong "--wait: HOST:PORT is missing"
        ;;
    --timeout)
        [[ ${2-} =~ ^[1-9][0-9]*$ ]] || wrong "--timeout: '${2-}' is not a number of seconds"
        timeout=$2
        shift 2
        ;;
    --migrate)
        migrate=yes
        shift
        ;;
    --migrated)
        migrated=yes
        shift
        ;;
    --help)
        printf '%s\n' "$usage"
        exit 0
        ;;
    --)
        shift
        break
        ;;
    --*) wrong "$1: there is no such option" ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || wrong "ROLE is missing"
role=$1
shift

# As process 1 of a container a shell without a trap is deaf to SIGTERM, and its trap has to wait
# for a child in the foreground. So what comes before the role runs in the background.
child=
# shellcheck disable=SC2317 # traps call it
stop() { # CODE
    trap '' TERM INT
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || true
        wait "$child" || true
    fi
    exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT

run() {
    local code=0
    "$@" &
    child=$!
    wait "$child" || code=$?
    child=
    return $code
}

# The waiting before it counts: all of it has the one time.
await_migration() {
    until run "${manage[@]}" migrate --check >/dev/null; do
        if [ $SECONDS -ge "$timeout" ]; then
            echo "startup: the database was not migrated within $timeout s" >&2
            return 1
        fi
        run sleep 3
    done
}

await_servers() {
    if [ ${#addresses[@]} -gt 0 ]; then
        run "$python" "$root/scripts/waiting.py" $((timeout - SECONDS)) "${addresses[@]}"
    fi
}

# A server that answered may go away again: in a swarm it may be replaced at the same time. The code
# 3 says that another try may help.
prepare() {
    local code=0
    run "${manage[@]}" prepare || code=$?
    if [ $code != 3 ] || [ $SECONDS -ge "$timeout" ]; then return $code; fi
    run sleep 1
    await_servers
    prepare
}

await_servers
if [ -n "$migrate" ]; then prepare; fi
if [ -n "$migrated" ]; then await_migration; fi

# The replicas of one container have all of their environment in common, but not the name.
name_node() {
    if [ "${HASHWORLD_NODE_NAME-}" = container ]; then
        HASHWORLD_NODE_NAME=$("$python" "$root/scripts/replica.py")
        export HASHWORLD_NODE_NAME
    fi
}

case $role in
web) exec "$python" -m gunicorn --config "$root/config/gunicorn.py" hashworld.wsgi "$@" ;;
worker)
    name_node
    export RES_OPTIONS=${RES_OPTIONS:-timeout:2 attempts:2} # libcurl looks names up on twenty threads
    exec "${celery[@]}" worker --pool threads --concurrency 2 --hostname "worker@%h" \
        --without-gossip --without-mingle "$@"
    ;;
scheduler)
    name_node
    exec "${celery[@]}" beat "$@"
    ;;
flower) exec "${celery[@]}" flower --conf="$root/config/flower.py" "$@" ;;
chatroom) exec "$python" -m chatroom "$@" ;;
rpc) exec "${manage[@]}" rpcserver "$@" ;;
migrate) exec "${manage[@]}" prepare "$@" ;;
shell) exec "${manage[@]}" shell "$@" ;;
*)
    command -v "$role" >/dev/null || wrong "'$role' is neither a role nor a command"
    exec "$role" "$@"
    ;;
esac

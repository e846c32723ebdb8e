#!/usr/bin/env bash
# Writes migrations for what has changed in the models; in a throw-away container where there is an
# image of the core and an engine, else with this machine's own Python. No service is needed.
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

tag=${TAG:-$(recall HASHWORLD_TAG)}
core=$(image core "${tag:-latest}")
if docker image inspect "$core" >/dev/null 2>&1; then
    exec docker run --rm --network none --read-only --tmpfs /tmp --tmpfs /data \
        --user "$(id -u):$(id -g)" -e HASHWORLD_DATA_DIR=/tmp/data -e LOG_FORMAT=console \
        -v "$root/src:/opt/hashworld/src" "$core" python src/manage.py makemigrations "$@"
fi
"$root/scripts/setup.sh" run
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
HASHWORLD_DATA_DIR=$data "$root/.venv/bin/python" "$root/src/manage.py" makemigrations "$@"

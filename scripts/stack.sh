#!/usr/bin/env bash
# One host's stack under compose: stack.sh up|down|ps|logs|migrate|scale|shell|superuser|verify|is-up
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

up() {
    local tag=${TAG:-$(recall HASHWORLD_TAG)}
    tag=${tag:-$(version)}
    make_secrets
    ensure_images "$tag"
    keep HASHWORLD_TAG "$tag"
    # A deployment that was cut off may have left it asking a web that goes now.
    if [ -n "$(running nginx)" ]; then front web:8000 || true; fi
    say "starting $tag"
    compose up -d --remove-orphans --scale worker="$HASHWORLD_WORKERS" --quiet-pull
    await 180 || die "not all became healthy in 180 s; see: make logs"
    tell "all is healthy"
}

is_up() { [ -n "$(running web 2>/dev/null)" ]; }

case ${1-} in
up) up ;;
down) compose down --remove-orphans ;;
ps) compose ps --all ;;
logs) compose logs --tail 200 --follow "${@:2}" ;;
secrets) make_secrets ;;
is-up) is_up ;;
migrate) compose run --rm --no-deps -T migrate ;;
scale)
    [ -n "${WORKERS-}" ] || die "say how many: make scale WORKERS=4"
    is_up || die "it is not up"
    compose up -d --no-deps --no-recreate --scale worker="$WORKERS" worker
    await 90 worker || die "not all workers became healthy in 90 s"
    say "$WORKERS workers"
    ;;
shell) compose exec web /opt/hashworld/scripts/startup.sh shell ;;
verify) compose exec -T worker python src/manage.py verify ;;
superuser) compose exec web python src/manage.py createsuperuser ;;
*) die "usage: stack.sh up|down|ps|logs|secrets|is-up|migrate|scale|shell|superuser|verify" ;;
esac

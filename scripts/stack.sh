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
    say "starting $tag"
    compose up -d --remove-orphans --scale worker="$HASHWORLD_WORKERS" --quiet-pull
    await 180 || die "not all became healthy in 180 s; see: make logs"
    say "all is healthy at https://${HASHWORLD_HOSTS%%,*}:$HASHWORLD_PORT/"
    if [ ! -e "$home/told" ]; then
        say "sign in as admin with the password $(cat "$HASHWORLD_SECRETS/admin_password") (shown this once)"
        touch "$home/told"
    fi
}

make_secrets() {
    local hosts
    IFS=, read -ra hosts <<<"$HASHWORLD_HOSTS"
    "$root/scripts/secrets.sh" "$HASHWORLD_SECRETS" "${hosts[@]}"
}

is_up() { [ -n "$(containers web 2>/dev/null)" ]; }

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

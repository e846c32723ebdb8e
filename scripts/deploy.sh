#!/usr/bin/env bash
# Moves a stack that is up to another version while it works: deploy.sh deploy|rollback
#
# TAG says which, this clone's version unless given. Migrations come first (they only add, so that
# the old version works beside the new one), then web, the remote calls and the chat, whose new
# containers answer before the old ones go, then schedulers, workers and the rest, one after another.
# When something of the new version does not become healthy, all goes back.
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

PATIENCE=90

alone() {
    exec 9>"$home/lock"
    flock -n 9 || die "another deployment of $project is under way"
}

running() { compose ps -q "$1" | xargs; }

# outdated SERVICE TAG: its containers that are of another image.
outdated() {
    local wanted id
    wanted=$(docker image inspect -f '{{.Id}}' "$(image "$(image_of "$1")" "$2")")
    for id in $(containers "$1"); do
        if [ "$(docker inspect -f '{{.Image}}' "$id")" != "$wanted" ]; then echo "$id"; fi
    done
}

remove() { # CONTAINER...: each is asked to end and given its time
    if [ $# -gt 0 ]; then
        docker stop "$@" >/dev/null
        docker rm "$@" >/dev/null
    fi
}

start() { # SERVICE NUMBER: bring it to that many, leaving alone what is there
    compose up -d --no-deps --no-recreate --scale "$1=$2" "$1" >/dev/null 2>&1
}

# The new ones stand beside the old ones before these go.
roll_beside() {
    local service=$1 tag=$2 old count
    mapfile -t old < <(outdated "$service" "$tag")
    [ ${#old[@]} -gt 0 ] || return 0
    count=$(containers "$service" | wc -l)
    say "$service: $tag beside what runs"
    start "$service" $((count + ${#old[@]}))
    if ! await $PATIENCE "$service"; then return 1; fi
    if [ "$service" = web ]; then retire "${old[@]}"; else remove "${old[@]}"; fi
}

# A request that reaches a server which is about to end may be cut off. So nginx asks a new one only
# before the old ones are told to end; these finish what they have begun.
retire() {
    local id fresh=
    for id in $(running web); do
        case " $* " in *" $id "*) continue ;; esac
        fresh=$(docker inspect -f "{{(index .NetworkSettings.Networks \"${project}_inside\").IPAddress}}" "$id")
    done
    front "$fresh:8000"
    sleep 2 # nginx's old processes let go of the connections on which they wait
    remove "$@"
    front web:8000
}

front() { compose exec -T nginx /opt/hashworld/scripts/nginx.sh reload "$1" 2>/dev/null; }

# One goes, then its successor comes, so that a node's name is free.
roll_in_turn() {
    local service=$1 tag=$2 old count id
    mapfile -t old < <(outdated "$service" "$tag")
    count=$(containers "$service" | wc -l)
    for id in "${old[@]}"; do
        say "$service: $tag in place of one"
        remove "$id"
        start "$service" "$count"
        if ! await $PATIENCE "$service"; then return 1; fi
    done
}

configuration() { docker inspect -f '{{index .Config.Labels "hashworld.configuration"}}' "$1"; }

roll_nginx() {
    local id
    id=$(running nginx)
    if [ "$(configuration "$id")" = "$(configuration "$(image nginx "$1")")" ]; then return 0; fi
    say "nginx: its configuration is new, so it is replaced (a second without answer)"
    roll_in_turn nginx "$1"
}

# By the first name that it may be called by.
answers() {
    local name=${HASHWORLD_HOSTS%%,*}
    name=${name#[.*]}
    curl -fsSk -o /dev/null --max-time 10 -H "Host: ${name:-localhost}" "https://localhost:$HASHWORLD_PORT/readyz"
}

roll() {
    local tag=$1 service
    export HASHWORLD_TAG=$tag
    for service in web rpc chatroom; do
        roll_beside "$service" "$tag" || return 1
    done
    for service in scheduler worker flower; do
        roll_in_turn "$service" "$tag" || return 1
    done
    roll_nginx "$tag" || return 1
    answers
}

# remove_failed TAG: what of a version that is given up never became healthy.
remove_failed() {
    local service id
    for service in web scheduler worker flower rpc chatroom; do
        for id in $(HASHWORLD_TAG=$1 outdated "$service" "$1"); do
            if [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" != healthy ]; then
                docker rm -f "$id" >/dev/null
            fi
        done
    done
}

move() { # FROM TO
    local from=$1 to=$2 workers
    workers=$(containers worker | wc -l)
    if roll "$to"; then return 0; fi
    say "$to did not become healthy; going back to $from"
    remove_failed "$from"
    export HASHWORLD_TAG=$from
    start worker "$workers"
    roll "$from" || die "could not go back to $from: see make ps and make logs"
    die "$from runs again"
}

deploy() {
    local from to=${TAG:-$(version)}
    from=$(recall HASHWORLD_TAG)
    if [ "$from" = "$to" ]; then
        say "runs $to already"
        return 0
    fi
    ensure_images "$to"
    say "migrating for $to"
    HASHWORLD_TAG=$to compose run --rm --no-deps -T migrate >/dev/null || die "the migration failed; $from still runs"
    move "$from" "$to"
    keep HASHWORLD_TAG "$to"
    keep HASHWORLD_PREVIOUS "$from"
    say "runs $to; make rollback goes back to $from"
}

rollback() {
    local from to
    from=$(recall HASHWORLD_TAG)
    to=$(recall HASHWORLD_PREVIOUS)
    [ -n "$to" ] || die "there was no other version before $from"
    ensure_images "$to"
    move "$from" "$to"
    keep HASHWORLD_TAG "$to"
    keep HASHWORLD_PREVIOUS "$from"
    say "runs $to again"
}

[ -n "$(running web)" ] || die "it is not up: make up"
alone
case ${1-} in
deploy) deploy ;;
rollback) rollback ;;
*) die "usage: deploy.sh deploy|rollback" ;;
esac

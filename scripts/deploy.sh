#!/usr/bin/env bash
# Moves a stack that is up to another version while it works: deploy.sh deploy|rollback
#
# TAG says which, this clone's version unless given. Migrations come first (they only add, so that
# the old version works beside the new one), then web, the remote calls and the chat, whose new
# containers answer before the old ones go, then schedulers, workers and the rest, one after another.
# When something of the new version does not become healthy, all goes back. One that was cut off is
# begun again, or taken back, by the next.
#
# Much of this runs where a failure does not end a shell by itself, so each step passes its own on.
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

PATIENCE=90
BESIDE=(web rpc chatroom)
IN_TURN=(scheduler worker flower)

alone() {
    exec 9>"$home/lock"
    flock -n 9 || die "another deployment of $project is under way"
}

number() { containers "$1" | wc -l; }

# outdated SERVICE TAG: its containers that are of another image.
outdated() {
    local wanted ids id
    wanted=$(docker image inspect -f '{{.Id}}' "$(image "$(image_of "$1")" "$2")") || return 1
    ids=$(containers "$1") || return 1
    for id in $ids; do
        if [ "$(docker inspect -f '{{.Image}}' "$id")" != "$wanted" ]; then echo "$id"; fi
    done
}

remove() { # CONTAINER...: each is asked to end and given its time
    docker stop "$@" >/dev/null || true # what is gone needs no stop
    docker rm "$@" >/dev/null
}

start() { # SERVICE NUMBER: bring it to that many, leaving alone what is there
    quietly compose up -d --no-deps --no-recreate --scale "$1=$2" "$1"
}

# The new ones stand beside the old ones before these go.
roll_beside() {
    local service=$1 tag=$2 found old all lacking
    found=$(outdated "$service" "$tag") || return 1
    [ -n "$found" ] || return 0
    mapfile -t old <<<"$found"
    all=$(number "$service")
    # As many as go, less those that are there since a deployment that was cut off.
    lacking=$((2 * ${#old[@]} - all))
    say "$service: $tag beside what runs"
    start "$service" $((all + (lacking > 0 ? lacking : 0))) || return 1
    await $PATIENCE "$service" || return 1
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
    if [ -z "$fresh" ]; then
        say "no new web has an address"
        return 1
    fi
    trap 'front web:8000' EXIT # also where it is cut off
    front "$fresh:8000" || return 1
    sleep 2 # nginx's old processes let go of the connections on which they wait
    remove "$@" || return 1
    trap - EXIT
    front web:8000
}

# One goes, then its successor comes, so that a node's name is free.
roll_in_turn() {
    local service=$1 tag=$2 found count id
    found=$(outdated "$service" "$tag") || return 1
    count=$(number "$service")
    for id in $found; do
        say "$service: $tag in place of one"
        remove "$id" || return 1
        start "$service" "$count" || return 1
        await $PATIENCE "$service" || return 1
    done
}

configuration() { docker inspect -f '{{index .Config.Labels "hashworld.configuration"}}' "$1"; }

same_nginx() { [ "$(configuration "$(running nginx)")" = "$(configuration "$(image nginx "$1")")" ]; }

roll_nginx() {
    if same_nginx "$1"; then return 0; fi
    say "nginx: its configuration is new, so it is replaced (a second without answer)"
    roll_in_turn nginx "$1"
}

# Asked where nginx runs, so that this machine needs nothing for it, by the first name that it knows.
ready() {
    local name=${HASHWORLD_HOSTS%%,*}
    name=${name#[.*]}
    compose exec -T nginx curl -fsSk -o /dev/null --max-time 10 -H "Host: ${name:-localhost}" https://127.0.0.1:8443/readyz
}

answers() {
    local until=$((SECONDS + 30)) said
    until said=$(ready 2>&1); do
        if [ $SECONDS -ge $until ]; then
            say "/readyz does not answer through nginx: $said"
            return 1
        fi
        sleep 1
    done
}

roll() {
    local tag=$1 service
    export HASHWORLD_TAG=$tag
    for service in "${BESIDE[@]}"; do
        roll_beside "$service" "$tag" || return 1
    done
    for service in "${IN_TURN[@]}"; do
        roll_in_turn "$service" "$tag" || return 1
    done
    roll_nginx "$tag" || return 1
    answers
}

# remove_failed TAG: what of a version that is given up never became healthy.
remove_failed() {
    local service id
    for service in "${BESIDE[@]}" "${IN_TURN[@]}"; do
        for id in $(outdated "$service" "$1"); do
            if [ "$(docker inspect -f '{{with .State.Health}}{{.Status}}{{end}}' "$id")" != healthy ]; then
                docker rm -f "$id" >/dev/null
            fi
        done
    done
}

move() { # FROM TO
    local from=$1 to=$2 service
    local -A count
    for service in "${IN_TURN[@]}"; do count[$service]=$(number "$service"); done
    if roll "$to"; then return 0; fi
    say "$to did not become healthy; going back to $from"
    remove_failed "$from"
    export HASHWORLD_TAG=$from
    # Where one went and its successor never came, one is missing.
    for service in "${IN_TURN[@]}"; do
        start "$service" "${count[$service]}" || say "$service: not all ${count[$service]} could be started"
    done
    if roll "$from" && await $PATIENCE; then die "$from runs again"; fi
    die "could not go back to $from: see make ps and make logs"
}

# mixed TAG: something is of another version, as after a deployment that was cut off.
mixed() {
    local service
    for service in "${BESIDE[@]}" "${IN_TURN[@]}"; do
        if [ -n "$(outdated "$service" "$1")" ]; then return 0; fi
    done
    ! same_nginx "$1"
}

deploy() {
    local from to=${TAG:-$(version)}
    from=$(recall HASHWORLD_TAG)
    make_secrets
    ensure_images "$to"
    if [ "$from" = "$to" ] && ! mixed "$to"; then
        say "runs $to already"
        return 0
    fi
    say "migrating for $to"
    HASHWORLD_TAG=$to compose run --rm --no-deps -T migrate >/dev/null || die "the migration failed; $from still runs"
    change "$from" "$to"
    from=$(recall HASHWORLD_PREVIOUS)
    say "runs $to${from:+; make rollback goes back to $from}"
}

change() { # FROM TO
    move "$1" "$2"
    keep HASHWORLD_TAG "$2"
    if [ "$1" != "$2" ]; then keep HASHWORLD_PREVIOUS "$1"; fi
}

rollback() {
    local from to
    from=$(recall HASHWORLD_TAG)
    to=$(recall HASHWORLD_PREVIOUS)
    [ -n "$to" ] || die "there was no other version before $from"
    ensure_images "$to"
    change "$from" "$to"
    say "runs $to again"
}

[ -n "$(running web)" ] || die "it is not up: make up"
alone
# One that was cut off may have left nginx with a single web.
front web:8000 || die "nginx does not run: make up"
case ${1-} in
deploy) deploy ;;
rollback) rollback ;;
*) die "usage: deploy.sh deploy|rollback" ;;
esac

#!/usr/bin/env bash
# A stack on a swarm: swarm.sh deploy|rollback|down. Run it on a manager.
set -euo pipefail
only_settings=${WORKERS-}${PORT-}${HOSTS-}${ORIGINS-}
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

sum() { sha256sum "$1" | cut -c1-12; }

services() { docker stack services --format '{{.Name}} {{.Replicas}}' "$project"; }

# Lines for what does not have all its replicas, or is being updated or put back.
unsettled() {
    services | awk '{split($2, part, "/"); if (part[1] != part[2]) print $1 ": " $2}'
    docker stack services -q "$project" | xargs -r docker service inspect \
        --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' |
        awk '$2 == "updating" || $2 == "rollback_started" {print $1 ": " $2}'
}

# The replicas of a service are replaced one after another, each with the time to stop, to start and
# to be watched; and one more is put back where the first was not well.
bound() {
    local most
    most=$(services | awk '{split($2, part, "/"); if (part[2] > most) most = part[2]} END {print most + 0}')
    echo $(((HASHWORLD_START_SECONDS + 150) * (most + 1)))
}

# Containers by their ids, each with why it ended, or could not begin.
ends() {
    docker stack ps --no-trunc --format '{{.ID}} {{.Name}} on {{.Node}}: {{.Error}}' "$project" 2>/dev/null | awk 'NF > 4'
}

# Says why containers ended, of those that are not in `known`; the same reason once.
known=
tell_ends() {
    local id line
    while read -r id line; do
        case $known in *"$id"* | *"|$line|"*) continue ;; esac
        known+="$id|$line|"
        say "$line" >&2
    done < <(ends)
}

settle_down() {
    local lines most
    most=$(bound)
    local until=$((SECONDS + most))
    while lines=$(unsettled) && [ -n "$lines" ]; do
        tell_ends
        [ $SECONDS -lt $until ] || die "not settled in $most s: $lines"
        sleep 2
    done
    tell_ends
}

# What became of the last change of each service: its name, when that began, how it ended.
changes() {
    docker stack services -q "$project" 2>/dev/null | xargs -r docker service inspect \
        --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.StartedAt}} {{.UpdateStatus.State}}{{end}}'
}

# went_back BEFORE: the services that did not keep a change which came after those. A version says
# nothing of it, for a secret may be all that changed.
went_back() {
    changes | { grep -vxF "$1" || true; } | awk '$NF ~ /^(rollback_.*|paused)$/ {print $1}'
}

require_place() {
    [ -z "$(docker node ls -q --filter node.label=hashworld=data)" ] || return 0
    [ "$(docker node ls -q | wc -l)" = 1 ] ||
        die "say which machine keeps the data: docker node update --label-add hashworld=data MACHINE"
    docker node update --label-add hashworld=data "$(docker node ls -q)" >/dev/null
}

# Which version to run. Who only says how many workers, or another port, means the one that runs.
wanted() {
    local runs
    runs=$(recall HASHWORLD_TAG)
    if [ -z "${TAG-}" ] && [ -n "$runs" ] && [ -n "$only_settings" ]; then echo "$runs"; else echo "${TAG:-$(version)}"; fi
}

deploy() {
    local tag name path before back
    tag=$(wanted)
    docker node ls >/dev/null 2>&1 || die "this is no manager of a swarm: docker swarm init"
    require_place
    make_secrets
    ensure_images "$tag"
    while IFS='=' read -r name path; do export "$name=$path"; done <"$kept"
    export HASHWORLD_TAG=$tag HASHWORLD_STACK=$project
    for path in "$HASHWORLD_SECRETS"/*; do
        name=HASHWORLD_SUM_$(basename "$path")
        export "$name=$(sum "$path")"
    done
    HASHWORLD_SUM_rabbitmq=$(sum "$root/config/rabbitmq/rabbitmq.conf")
    export HASHWORLD_SUM_rabbitmq
    say "deploying $tag"
    before=$(changes)
    known=$(docker stack ps --no-trunc -q "$project" 2>/dev/null || true)
    docker stack deploy --prune --resolve-image never ${REGISTRY_AUTH:+--with-registry-auth} \
        -c "$root/docker/stack.yml" "$project" 2>&1 | sed "s/^/$project: /"
    settle_down
    case $known in *"No such image"*)
        say "not every machine has the images: where the registry asks who you are, docker login and say REGISTRY_AUTH=yes" >&2
        ;;
    esac
    back=$(went_back "$before" | xargs)
    [ -z "$back" ] || die "$tag was not healthy, and is not used by: $back"
    keep HASHWORLD_TAG "$tag"
    tell "runs $tag"
}

rollback() {
    local service
    for service in $(docker stack services --format '{{.Name}}' "$project"); do
        case $service in *_mysql | *_rabbitmq | *_redis) continue ;; esac
        if [ "$(docker service inspect -f '{{if .PreviousSpec}}yes{{end}}' "$service")" = yes ]; then
            say "putting $service back"
            docker service update --rollback --detach "$service" >/dev/null
        fi
    done
    known=$(docker stack ps --no-trunc -q "$project")
    settle_down
    remember
    services
}

# What was put back holds until something else is given.
remember() {
    local image
    image=$(docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "${project}_web")
    keep HASHWORLD_TAG "${image##*:}"
    keep HASHWORLD_WORKERS "$(docker service inspect -f '{{.Spec.Mode.Replicated.Replicas}}' "${project}_worker")"
    say "runs $HASHWORLD_TAG"
}

# What is left of it: containers on this machine that still stop, and the network, which goes last.
left() {
    local label=label=com.docker.stack.namespace=$project
    docker ps -q --filter "$label"
    docker network ls -q --filter "$label"
}

# Only when nothing is left may the same stack be deployed again. What goes already cannot be removed,
# which the engine calls a failure.
down() {
    docker stack rm "$project" || true
    local until=$((SECONDS + 150))
    while [ -n "$(left)" ]; do
        [ $SECONDS -lt $until ] || die "not gone in 150 s: $(left | xargs)"
        sleep 1
    done
}

case ${1-} in
deploy) deploy ;;
rollback) rollback ;;
down) down ;;
*) die "usage: swarm.sh deploy|rollback|down" ;;
esac

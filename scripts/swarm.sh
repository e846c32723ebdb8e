#!/usr/bin/env bash
# A stack on a swarm: swarm.sh deploy|rollback|down. Run it on a manager.
set -euo pipefail
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

settle_down() {
    local until=$((SECONDS + $1)) lines
    while lines=$(unsettled) && [ -n "$lines" ]; do
        [ $SECONDS -lt $until ] || die "not settled in $1 s: $lines"
        sleep 2
    done
}

# went_back TAG: the services of ours that run something else.
went_back() {
    docker stack services -q "$project" | xargs -r docker service inspect \
        --format '{{.Spec.Name}} {{.Spec.TaskTemplate.ContainerSpec.Image}}' |
        awk -v tag=":$1" '$2 ~ /hashworld\/(core|chatroom|nginx):/ && substr($2, length($2) - length(tag) + 1) != tag {print $1}'
}

require_place() {
    [ -z "$(docker node ls -q --filter node.label=hashworld=data)" ] || return 0
    [ "$(docker node ls -q | wc -l)" = 1 ] ||
        die "say which machine keeps the data: docker node update --label-add hashworld=data MACHINE"
    docker node update --label-add hashworld=data "$(docker node ls -q)" >/dev/null
}

deploy() {
    local tag name path
    tag=${TAG:-$(version)}
    docker node ls >/dev/null 2>&1 || die "this is no manager of a swarm: docker swarm init"
    require_place
    IFS=, read -ra hosts <<<"$HASHWORLD_HOSTS"
    "$root/scripts/secrets.sh" "$HASHWORLD_SECRETS" "${hosts[@]}"
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
    docker stack deploy --prune --resolve-image never ${REGISTRY_AUTH:+--with-registry-auth} \
        -c "$root/docker/stack.yml" "$project" 2>&1 | sed "s/^/$project: /"
    settle_down 600
    if [ -n "$(went_back "$tag")" ]; then
        die "$tag was not healthy, and is not used by: $(went_back "$tag" | xargs)"
    fi
    keep HASHWORLD_TAG "$tag"
    say "runs $tag at https://${HASHWORLD_HOSTS%%,*}:$HASHWORLD_PORT/"
    if [ ! -e "$home/told" ]; then
        say "sign in as admin with the password $(cat "$HASHWORLD_SECRETS/admin_password") (shown this once)"
        touch "$home/told"
    fi
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
    settle_down 600
    services
}

case ${1-} in
deploy) deploy ;;
rollback) rollback ;;
down) docker stack rm "$project" ;;
*) die "usage: swarm.sh deploy|rollback|down" ;;
esac

# shellcheck shell=bash
# What the scripts of a stack have in common; sourced. What is given in the environment (PORT,
# HOSTS, ORIGINS, WORKERS, REGISTRY, and every variable that docker-compose.yml names) is kept in
# .stacks/PROJECT/env, and holds until something else is given.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
project=${PROJECT:-hashworld}
home=$root/.stacks/$project
kept=$home/env

say() { echo "$project: $*"; }
die() {
    echo "$project: $*" >&2
    exit 1
}

# in_seconds TIME: one that is written as compose writes them, 90s, 5m or 1h30m; nothing where it is none.
in_seconds() {
    local rest=$1 total=0 unit
    while [[ $rest =~ ^([0-9]{1,6})([hms])(.*)$ ]]; do
        case ${BASH_REMATCH[2]} in h) unit=3600 ;; m) unit=60 ;; s) unit=1 ;; esac
        total=$((total + 10#${BASH_REMATCH[1]} * unit))
        rest=${BASH_REMATCH[3]}
    done
    if [ -z "$rest" ] && [ $total -gt 0 ]; then echo $total; fi
}

[[ $project =~ ^[a-z0-9][a-z0-9_-]*$ ]] || die "PROJECT must be lower-case letters, digits, - and _"
for number in PORT WORKERS; do
    [[ ${!number-} =~ ^([0-9]{1,5})?$ ]] || die "$number must be a number, not '${!number}'"
done
[ -z "${HASHWORLD_START_PERIOD-}" ] || [ -n "$(in_seconds "$HASHWORLD_START_PERIOD")" ] ||
    die "HASHWORLD_START_PERIOD must be a time such as 90s, 5m or 1h, not '$HASHWORLD_START_PERIOD'"
for tag in TAG REGISTRY; do
    [[ ${!tag-} =~ ^[A-Za-z0-9_.:/-]*$ ]] || die "$tag cannot be part of an image's name: '${!tag}'"
done

mkdir -p "$home"
chmod 700 "$home"
touch "$kept"

keep() { # NAME VALUE
    local draft=$kept.draft
    { grep -v "^$1=" "$kept" || true; } >"$draft"
    printf '%s=%s\n' "$1" "$2" >>"$draft"
    mv "$draft" "$kept"
    export "$1=$2"
}
recall() { sed -n "s/^$1=//p" "$kept"; }

settle() { # GIVEN NAME DEFAULT: what is given now, or was before, or else the default
    local value=${!1:-$(recall "$2")}
    keep "$2" "${value:-$3}"
}

# quietly COMMAND...: what it says is told only where it fails.
quietly() {
    local said
    said=$("$@" 2>&1) && return
    printf '%s\n' "$said" >&2
    return 1
}

version() { git -C "$root" describe --tags --always --dirty 2>/dev/null || echo unversioned; }

settle PORT HASHWORLD_PORT 8443
settle WORKERS HASHWORLD_WORKERS 1
settle HOSTS HASHWORLD_HOSTS "localhost,127.0.0.1,[::1],$(hostname)"
settle REGISTRY HASHWORLD_REGISTRY ""
settle ORIGINS HASHWORLD_ORIGINS ""

# The sites whose pages may use the chat: those of HOSTS, at this port or behind another proxy's, and ORIGINS.
origins() {
    local host found=$HASHWORLD_ORIGINS
    for host in ${HASHWORLD_HOSTS//,/ }; do
        case $host in .* | *[*?]*) continue ;; esac
        found+=${found:+,}https://$host,https://$host:$HASHWORLD_PORT
    done
    echo "$found"
}
HASHWORLD_CHAT_ORIGINS=$(set -f && origins)
export HASHWORLD_CHAT_ORIGINS

# How long the roles of a swarm may take to start.
settle HASHWORLD_START_PERIOD HASHWORLD_START_PERIOD 180s
HASHWORLD_START_SECONDS=$(in_seconds "$HASHWORLD_START_PERIOD")
export HASHWORLD_START_SECONDS
# shellcheck disable=SC2016
for name in $(grep -oh '\${[A-Z_]*' "$root/docker-compose.yml" "$root/docker/stack.yml" | tr -d '${' | sort -u); do
    case $name in "" | HASHWORLD_TAG | HASHWORLD_CHAT_ORIGINS | HASHWORLD_START_* | HASHWORLD_SECRETS | HASHWORLD_STACK | HASHWORLD_SUM_*) continue ;; esac
    if [ -n "${!name+given}" ]; then keep "$name" "${!name}"; fi
done
export COMPOSE_PROJECT_NAME=$project HASHWORLD_SECRETS=$home/secrets

# compose VERB...: of this project, with the tag that it runs unless HASHWORLD_TAG says another.
compose() {
    HASHWORLD_TAG=${HASHWORLD_TAG:-$(recall HASHWORLD_TAG)} docker compose \
        --project-directory "$root" --env-file "$kept" -f "$root/docker-compose.yml" "$@"
}

# listed OPTION [SERVICE]: containers of this project, but not those that only `run` a command once.
listed() {
    local label=label=com.docker.compose
    docker ps "$1" --no-trunc --filter $label.project="$project" --filter $label.oneoff=False \
        ${2:+--filter $label.service="$2"}
}
containers() { listed -aq "$@"; }
running() { listed -q "$@"; }

# front HOST:PORT: nginx asks the web there from now on.
front() { quietly compose exec -T nginx /opt/hashworld/scripts/nginx.sh reload "$1"; }

make_secrets() {
    local hosts
    IFS=, read -ra hosts <<<"$HASHWORLD_HOSTS"
    "$root/scripts/secrets.sh" "$HASHWORLD_SECRETS" "${hosts[@]}"
}

# The address, and once the administrator's password.
tell() { # WHAT
    say "$1 at https://${HASHWORLD_HOSTS%%,*}:$HASHWORLD_PORT/"
    [ ! -e "$home/told" ] || return 0
    say "sign in as admin with the password $(cat "$HASHWORLD_SECRETS/admin_password") (shown this once)"
    touch "$home/told"
}

image() { echo "${HASHWORLD_REGISTRY}hashworld/$1:$2"; }

# image_of SERVICE: the name of the image that it runs from.
image_of() {
    case $1 in chatroom | nginx) echo "$1" ;; *) echo core ;; esac
}

# ensure_images TAG: they are on this machine; pulled from the registry, or built from this version.
ensure_images() {
    local name
    for name in core chatroom nginx; do
        docker image inspect "$(image $name "$1")" >/dev/null 2>&1 && continue
        if [ -n "$HASHWORLD_REGISTRY" ] && docker pull -q "$(image $name "$1")"; then continue; fi
        [ "$1" = "$(version)" ] || die "there is no image $(image $name "$1"), and this is version $(version)"
        TAG=$1 "$root/scripts/images.sh" build
        return
    done
}

# unwell [SERVICE]: a line for each container that is not as it should be; none when all are.
unwell() {
    local ids
    ids=$(containers "$@")
    [ -n "$ids" ] || { echo "nothing runs"; return; }
    # shellcheck disable=SC2086
    docker inspect --format '{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{index .Config.Labels "com.docker.compose.service"}}' $ids |
        awk '$5 == "migrate" && $2 == "exited" && $4 == 0 {next}
             $2 == "running" && ($3 == "healthy" || $3 == "none") {next}
             {print substr($1, 2) ": " $2 ($3 == "none" ? "" : ", " $3) ($2 == "exited" ? ", code " $4 : "")}'
}

# await SECONDS [SERVICE]: all are well; says what is not.
await() {
    local until=$((SECONDS + $1)) lines
    shift
    while lines=$(unwell "$@") && [ -n "$lines" ]; do
        if [ $SECONDS -ge $until ]; then
            printf '%s\n' "$lines" >&2
            return 1
        fi
        sleep 1
    done
}

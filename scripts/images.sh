#!/usr/bin/env bash
# Builds or pushes the images of this version: images.sh build|push. TAG, REGISTRY as for the stack.
# PYTHON_IMAGE and NGINX_IMAGE choose other bases; BUILD_ARGS goes to docker build.
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

tag=${TAG:-$(version)}
names=(core chatroom nginx)

build() { # NAME DOCKERFILE ARGUMENTS...
    local name=$1 file=$2
    shift 2
    say "building $(image "$name" "$tag")"
    # shellcheck disable=SC2086
    DOCKER_BUILDKIT=1 docker build -q -f "$root/docker/$file" "$@" ${BUILD_ARGS:-} \
        --build-arg VERSION="$tag" --build-arg REVISION="$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)" \
        -t "$(image "$name" "$tag")" "$root" >/dev/null
}

base() { # VARIABLE: the argument that chooses another base
    if [ -n "${!1-}" ]; then printf -- '--build-arg\n%s=%s\n' "$1" "${!1}"; fi
}

case ${1-} in
build)
    mapfile -t python < <(base PYTHON_IMAGE)
    mapfile -t nginx < <(base NGINX_IMAGE)
    sum=$(cat "$root/config/nginx/nginx.conf" "$root/scripts/nginx.sh" "$root/docker/nginx.Dockerfile" - <<<"${NGINX_IMAGE-}" | sha256sum | cut -c1-16)
    for name in "${names[@]}"; do
        case $name in
        nginx) build nginx nginx.Dockerfile "${nginx[@]}" --build-arg CONFIGURATION="$sum" ;;
        *) build "$name" Dockerfile --target "$name" "${python[@]}" ;;
        esac
    done
    ;;
push)
    [ -n "$HASHWORLD_REGISTRY" ] || die "REGISTRY is needed, such as REGISTRY=registry.example.org/team/"
    for name in "${names[@]}"; do docker push -q "$(image "$name" "$tag")"; done
    ;;
*) die "usage: images.sh build|push" ;;
esac

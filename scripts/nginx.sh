#!/bin/sh
# Writes nginx's configuration from config/nginx/nginx.conf and the environment, then becomes nginx.
#
#   nginx.sh              serve
#   nginx.sh test         only check the configuration
#   nginx.sh reload WEB   from now on ask the web at host:port WEB; what is under way goes on
#
# HASHWORLD_WEB, _FLOWER, _CHATROOM, _RPC   host:port of each (names are those of the stack)
# HASHWORLD_TLS_CERTIFICATE, _TLS_KEY       paths
# HASHWORLD_LISTEN, HASHWORLD_ACCESS_LOG    the port, and where each request is told of
# HASHWORLD_TRUSTED_PROXIES                 networks, separated by commas, whose X-Forwarded-For counts
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
template=${HASHWORLD_NGINX_TEMPLATE:-$here/config/nginx/nginx.conf}
run=${HASHWORLD_NGINX_RUN:-/tmp/nginx}
certificate=${HASHWORLD_TLS_CERTIFICATE:-/run/secrets/tls_certificate}
key=${HASHWORLD_TLS_KEY:-/run/secrets/tls_key}

die() {
    echo "nginx: $1" >&2
    exit 2
}

for file in "$certificate" "$key"; do
    [ -r "$file" ] || die "$file cannot be read: HTTPS needs a certificate and its key"
done

trusted=
for network in $(echo "${HASHWORLD_TRUSTED_PROXIES:-}" | tr ',' ' '); do
    case $network in *[!0-9a-fA-F.:/]*) die "HASHWORLD_TRUSTED_PROXIES: '$network' is no network" ;; esac
    trusted="$trusted set_real_ip_from $network;"
done
if [ -n "$trusted" ]; then trusted="$trusted real_ip_header X-Forwarded-For; real_ip_recursive on;"; fi

web=${HASHWORLD_WEB:-web:8000}
if [ "${1:-}" = reload ]; then web=${2:-$web}; fi

mkdir -p "$run"
sed -e '/^ *#/!{' \
    -e "s|@RUN@|$run|g" \
    -e "s|@MIME@|${HASHWORLD_NGINX_MIME:-/etc/nginx/mime.types}|g" \
    -e "s|@ACCESS@|${HASHWORLD_ACCESS_LOG:-/dev/stdout}|g" \
    -e "s|@RESOLVER@|${HASHWORLD_RESOLVER:-127.0.0.11}|g" \
    -e "s|@TRUSTED@|$trusted|g" \
    -e "s|@CERTIFICATE@|$certificate|g" \
    -e "s|@KEY@|$key|g" \
    -e "s|@LISTEN@|${HASHWORLD_LISTEN:-8443}|g" \
    -e "s|@WEB@|$web|g" \
    -e "s|@FLOWER@|${HASHWORLD_FLOWER:-flower:5555}|g" \
    -e "s|@CHATROOM@|${HASHWORLD_CHATROOM:-chatroom:8765}|g" \
    -e "s|@RPC@|${HASHWORLD_RPC:-rpc:6666}|g" \
    -e '}' "$template" >"$run/nginx.conf"

case ${1:-} in
test) exec nginx -e stderr -t -q -c "$run/nginx.conf" ;;
reload) exec nginx -e stderr -c "$run/nginx.conf" -s reload ;;
esac
exec nginx -e stderr -c "$run/nginx.conf" -g "daemon off;"

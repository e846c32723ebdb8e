#!/usr/bin/env bash
# Makes what is missing of a stack's secrets in a folder; what is there stays as it is.
#
#   secrets.sh FOLDER [HOST...]     the hosts are the names in the certificate that signs itself
#
# RABBITMQ_HOST and REDIS_HOST say where those are, where that is not in the same stack.
#
# The folder lets nobody but its owner in. Its files can be read by all, for containers see them
# by themselves and as another user. Replace tls_certificate and tls_key by your own, whatever their
# mode; delete any other file to have it made anew.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: secrets.sh FOLDER [HOST...]" >&2; exit 2; }
folder=$1
shift
config=$(cd "$(dirname "${BASH_SOURCE[0]}")/../config" && pwd)
command -v openssl >/dev/null || { echo "secrets: openssl is needed" >&2; exit 1; }
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

# keep NAME: writes standard input to the file NAME, whole or not at all.
keep() {
    cat >".$1.draft"
    chmod 444 ".$1.draft"
    mv -f ".$1.draft" "$1"
    echo "secrets: made $folder/$1"
}
random() { openssl rand -hex "$1"; }
lacks() { [ ! -s "$1" ]; }

for name in mysql_root_password mysql_password admin_password metrics_token chat_secret \
    .rabbitmq_submitter .rabbitmq_worker .rabbitmq_monitor .redis_hashworld .redis_chatroom; do
    if lacks "$name"; then random 24 | keep "$name"; fi
done
if lacks django_secret_key; then openssl rand -base64 60 | tr -d '\n=' | keep django_secret_key; fi

# What is made of others is made again when they are newer.
older() { lacks "$1" || [ "$2" -nt "$1" ]; }

for user in submitter worker monitor; do
    if older "broker_url_$user" ".rabbitmq_$user"; then
        printf 'amqp://%s:%s@%s:5672/hashworld\n' "$user" "$(cat ".rabbitmq_$user")" \
            "${RABBITMQ_HOST:-rabbitmq}" | keep "broker_url_$user"
        rm -f rabbitmq_definitions
    fi
done
for user in hashworld chatroom; do
    if older "redis_url_$user" ".redis_$user"; then
        printf 'redis://%s:%s@%s:6379/0\n' "$user" "$(cat ".redis_$user")" \
            "${REDIS_HOST:-redis}" | keep "redis_url_$user"
        rm -f redis_acl
    fi
done

# RabbitMQ keeps the SHA-256 of four bytes of salt and the password, with the salt before it.
rabbitmq_hash() {
    local salt
    salt=$(random 4 | sed 's/../\\x&/g')
    {
        printf '%b' "$salt"
        { printf '%b' "$salt"; tr -d '\n' <"$1"; } | openssl dgst -sha256 -binary
    } | openssl base64 -A
}

if lacks rabbitmq_definitions; then
    filled=$(cat "$config/rabbitmq/definitions.json")
    for user in submitter worker monitor; do
        filled=${filled/@$user@/$(rabbitmq_hash ".rabbitmq_$user")}
    done
    printf '%s\n' "$filled" | keep rabbitmq_definitions
fi

# Redis keeps the SHA-256 of a password.
if lacks redis_acl; then
    filled=$(grep -v '^#' "$config/redis/users.acl")
    for user in hashworld chatroom; do
        filled=${filled/@$user@/$(tr -d '\n' <".redis_$user" | openssl dgst -sha256 -r | cut -d' ' -f1)}
    done
    printf '%s\n' "$filled" | keep redis_acl
fi

if lacks tls_certificate || lacks tls_key; then
    names=DNS:localhost,IP:127.0.0.1
    for host in "$@"; do
        case $host in
        localhost | 127.0.0.1 | "[::1]" | "*") ;;
        *[!0-9.]*) names+=,DNS:${host#.} ;;
        *) names+=,IP:$host ;;
        esac
    done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj "/CN=${1:-localhost}" -addext "subjectAltName=$names" \
        -keyout .key -out .certificate 2>/dev/null
    keep tls_key <.key
    keep tls_certificate <.certificate
    rm -f .key .certificate
fi
chmod 444 tls_certificate tls_key

#!/usr/bin/env bash
# backup.sh backup: the database and the packs that it names, into a new folder (TO, or under backups/).
# backup.sh restore: what is in the folder FROM takes the place of both; the broker keeps what it has.
set -euo pipefail
# shellcheck source=scripts/stack-env.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-env.sh"

# What an administrator of the database runs; its password is in no command line.
# shellcheck disable=SC2016
as_root='export MYSQL_PWD=$(cat /run/secrets/mysql_root_password);'

database() { compose exec -T mysql bash -c "set -eo pipefail; $as_root $1"; }
with_packs() { compose run --rm --no-deps -T worker sh -c "$1"; }

backup() {
    local to=${TO:-$root/backups/$project-$(date -u +%Y%m%dT%H%M%SZ)}
    [ ! -e "$to" ] || die "$to is there already"
    mkdir -p "$(dirname "$to")"
    umask 077
    # A name of its own, so that one that was killed is in nobody's way.
    draft=$(mktemp -d "$to.draft.XXXXXX")
    mark=.backup-$$
    trap clear_away EXIT
    # A pack only grows, and goes at the earliest an hour after its last byte. So links to what is
    # there before the dump and after it hold all that the dump names, while work goes on.
    link_packs "$mark"
    say "writing the database"
    database 'mariadb-dump -u root --single-transaction --quick --routines --hex-blob hashworld | gzip -1' >"$draft/database.sql.gz"
    link_packs "$mark"
    say "writing the packs"
    with_packs "cd /data/packs/$mark && tar -c --warning=no-file-changed . || [ \$? = 1 ]" >"$draft/packs.tar"
    recall HASHWORLD_TAG >"$draft/tag"
    (cd "$draft" && sha256sum database.sql.gz packs.tar tag >SHA256SUMS)
    mv -T "$draft" "$to"
    say "wrote $to ($(du -sh "$to" | cut -f1)); keep .stacks/$project/secrets as well"
}

# shellcheck disable=SC2317 # a trap calls it
clear_away() {
    rm -rf "$draft"
    with_packs "rm -rf /data/packs/$mark" >/dev/null 2>&1
}

link_packs() {
    with_packs "cd /data/packs && mkdir -p $1 && for pack in *.pack; do [ ! -e \"\$pack\" ] || ln -f \"\$pack\" $1/; done"
}

restore() {
    local from=${FROM-}
    [ -d "$from" ] || die "say from which folder: make restore FROM=backups/..."
    (cd "$from" && sha256sum --quiet -c SHA256SUMS) || die "$from is damaged"
    say "stopping what works on the database"
    quietly compose stop nginx web worker scheduler rpc chatroom
    say "reading the database"
    database 'mariadb -u root -e "DROP DATABASE hashworld; CREATE DATABASE hashworld CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"'
    gunzip -c "$from/database.sql.gz" | database 'mariadb -u root hashworld'
    say "reading the packs"
    with_packs 'rm -rf /data/packs/* /data/packs/.backup-* && tar -x -C /data/packs' <"$from/packs.tar"
    # A backup of an earlier version is brought up to this one.
    compose run --rm --no-deps -T migrate >/dev/null
    quietly compose up -d --no-recreate --scale worker="$HASHWORLD_WORKERS"
    await 120 || die "not all became healthy in 120 s; see: make logs"
    say "restored $from; bodies are checked by: make verify"
}

[ -n "$(containers mysql)" ] || die "it is not up: make up"
case ${1-} in
backup) backup ;;
restore) restore ;;
*) die "usage: backup.sh backup|restore" ;;
esac

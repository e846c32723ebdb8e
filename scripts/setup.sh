#!/usr/bin/env bash
# Makes .venv ready. "run": what HashWorld needs to run on one machine, no compiler and no server.
# "server": what the roles of a cluster need as well, mysqlclient, which needs a compiler. "test":
# everything for tests and benchmarks, system packages included where we are root.
# Never asks, and does nothing when nothing has changed. PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # where Debian keeps servers, off a plain user's path

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

python_is_good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if python_is_good "$candidate"; then command -v "$candidate"; return; fi
    done
    die "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3.12"
}

policy=/usr/sbin/policy-rc.d
allow_services() {
    rm -f $policy
    if [ -e $policy.saved ]; then mv $policy.saved $policy; fi
    trap - EXIT
}
forbid_services() { # code 101 keeps packages from starting the servers they bring: tests start their own
    if [ -e $policy ]; then mv $policy $policy.saved; fi
    trap allow_services EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
}

apt_install() {
    say "installing system packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    forbid_services
    if ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"; } >/dev/null; then
        say "apt-get did not install all of them"
    fi
    allow_services
}

make_venv() {
    if python_is_good .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; then return; fi
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if can_apt; then apt_install python3-venv; fi
        "$python" -c 'import ensurepip' 2>/dev/null ||
            die "$python cannot make virtual environments: apt-get install python3-venv"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

# Puts the Debian names of what the tests miss on this machine into the array `missing`.
find_missing_packages() {
    local pair
    missing=()
    for pair in gcc:gcc pkg-config:pkg-config mariadb_config:libmariadb-dev mariadbd:mariadb-server \
        rabbitmq-server:rabbitmq-server redis-server:redis-server nginx:nginx shellcheck:shellcheck \
        faketime:faketime systemd-analyze:systemd; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ -f "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
        missing+=("$(basename "$(readlink -f .venv/bin/python)")-dev")
}

install() {
    say "installing the locked requirements of $lock"
    awk -v dropped="$dropped==" '/^[^ #]/ { skip = index($0, dropped) == 1 } !skip' "$lock" >.venv/requirements.txt
    # Wheels only, so that nothing but mysqlclient, which has no Linux wheel, asks for a compiler.
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --no-binary mysqlclient -r .venv/requirements.txt
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps -e .
}

mode=${1:-}
case $mode in
run) lock=requirements.txt dropped=mysqlclient ;; # the embedded footing needs no MySQL, so no compiler
server) lock=requirements.txt dropped="" ;;
test) lock=requirements-dev.txt dropped="" ;;
*) die "usage: scripts/setup.sh run|server|test" ;;
esac

make_venv
if [ "$mode" = test ]; then
    find_missing_packages
    if [ ${#missing[@]} -gt 0 ] && can_apt; then
        apt_install "${missing[@]}"
        find_missing_packages
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        say "missing here, by Debian's names: ${missing[*]}; tests that need them will be left out"
    fi
    case " ${missing[*]-} " in *" gcc "* | *" pkg-config "* | *"-dev "*)
        say "mysqlclient cannot be built without a compiler and headers, and is left out"
        mode=test-without-mysqlclient dropped=mysqlclient
        ;;
    esac
fi

# The path counts because neither a virtual environment nor an editable install survives a move.
state=$(cat requirements.txt requirements-dev.txt pyproject.toml scripts/setup.sh - <<<"$PWD" | cksum)
stamp=.venv/hashworld-setup
done_before=$(cat $stamp 2>/dev/null || true)
case $mode in
run) [ "${done_before#* }" = "$state" ] && exit 0 ;; # any mode brings what running needs
*) [ "$done_before" = "$mode $state" ] && exit 0 ;;
esac
rm -f $stamp
install
echo "$mode $state" >$stamp
say "ready"

#!/bin/sh
# Installs the locked requirements in a file into /opt/venv, without what running does not need.
# Wheels only, but for mysqlclient, which has none; every file's hash is in the list.
set -eu

python3 -m pip --python /opt/venv/bin/python install -q --no-deps --require-hashes \
    --only-binary :all: --no-binary mysqlclient -r "$1"
# Not `test` as well: libraries use django.test.
find /opt/venv -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
find /opt/venv -name '*.so' -exec strip --strip-unneeded {} +
python3 -m compileall -q -j 0 /opt/venv/lib

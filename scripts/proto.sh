#!/usr/bin/env bash
# Makes the Python of communicate.proto, for HashWorld and for the chatroom, which share no code.
# scripts/proto.sh FOLDER puts both below another folder, for the test that they are up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

into=${1:-.}
for package in hashworld/api chatroom; do
    out=$into/src/$package
    mkdir -p "$out"
    .venv/bin/python -m grpc_tools.protoc -Isrc/hashworld/api --python_out="$out" --pyi_out="$out" \
        --grpc_python_out="$out" communicate.proto
    # The compiler knows of no packages: it imports the messages as if they stood on the path.
    sed -i 's/^import communicate_pb2 as/from . import communicate_pb2 as/' \
        "$out/communicate_pb2_grpc.py"
done

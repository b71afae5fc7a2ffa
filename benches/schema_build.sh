#!/usr/bin/env bash
# What a schema of 200 messages in ten files costs to build, in CPU seconds, with what it depends on built already.
#
#   bash benches/schema_build.sh              all of benches/schemas
#   bash benches/schema_build.sh rpc tonic    only these
#
# In cargo's profile for development, where build scripts are not optimised. `generate` is the build script in an empty
# folder, `one file` the same after a field was added to one of the ten, `build` all that cargo does for the crate. Each is the
# least of three.
set -euo pipefail
cd "$(dirname "$0")"
unset RUST_BACKTRACE

frameworks=("$@")
[ "$#" -gt 0 ] || frameworks=(rpc tonic connectrpc)
command -v protoc >/dev/null || bash setup.sh protobuf-compiler

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export SCHEMA_FOLDER=$scratch/proto
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
TIMEFORMAT='%U %S'

message() {
    cat <<END
// A message of most kinds of fields.
message M$1 {
  int64 id = 1;
  string name = 2;
  repeated string tags = 3;
  bytes data = 4;
  M$(($1 > 0 ? $1 - 1 : 0)) previous = 5;
  map<string, int32> counts = 6;
  Level level = 7;
  oneof choice {
    string text = 8;
    int32 number = 9;
  }
  double ratio = 10;
  repeated M$1 children = 11;
}
END
}

schema() {
    printf 'syntax = "proto3";\npackage large.p%s;\n' "$1"
    printf 'enum Level {\n  LEVEL_UNSPECIFIED = 0;\n  LEVEL_LOW = 1;\n  LEVEL_HIGH = 2;\n}\n'
    for at in {0..19}; do message "$at"; done
    cat <<END
service Service$1 {
  rpc Get(M0) returns (M1);
  rpc List(M2) returns (stream M3);
  rpc Add(stream M4) returns (M5);
  rpc Chat(stream M6) returns (stream M7);
}
END
}

write_schemas() {
    rm -rf "$SCHEMA_FOLDER"
    mkdir -p "$SCHEMA_FOLDER"
    for at in {0..9}; do schema "$at" >"$SCHEMA_FOLDER/p$at.proto"; done
}

# The CPU seconds of a command and of all that it starts.
cpu() {
    local times
    if ! times=$({ time "$@" >"$scratch/log" 2>&1; } 2>&1); then
        cat "$scratch/log" >&2
        exit 1
    fi
    awk '{ print $1 + $2 }' <<<"$times"
}

least() {
    printf '%s\n' "$@" | sort -n | head -n 1
}

run_script() {
    # As cargo calls it, which also says where the crate is.
    (cd "schemas/$1" && OUT_DIR=$scratch/out CARGO_MANIFEST_DIR=$PWD cpu "$2")
}

echo "| | generate | one file | build |"
echo "|---|---|---|---|"
for framework in "${frameworks[@]}"; do
    package=schema-$framework
    write_schemas
    cargo build --quiet --locked -p "$package"
    script=$(ls -t "$CARGO_TARGET_DIR"/debug/build/"$package"-*/build-script-build | head -n 1)
    generate=() one=() build=()
    for round in 1 2 3; do
        write_schemas
        rm -rf "$scratch/out"
        mkdir "$scratch/out"
        generate+=("$(run_script "$framework" "$script")")
        sed -i "s/double ratio = 10;/double ratio = 10; int32 added = 2$round;/" "$SCHEMA_FOLDER/p3.proto"
        one+=("$(run_script "$framework" "$script")")
        cargo clean --quiet -p "$package"
        build+=("$(cpu cargo build --quiet --locked -p "$package")")
    done
    echo "| $framework | $(least "${generate[@]}") | $(least "${one[@]}") | $(least "${build[@]}") |"
done

#!/usr/bin/env bash
# W9: what a minimal service pays to build from nothing, in release: CPU seconds, and the crates that are compiled.
#
#   bash benches/clean_build.sh              all of benches/minimal
#   bash benches/clean_build.sh rpc tonic    only these
#
# With Cargo's own release profile. CPU seconds are those of cargo and all that it starts; how long it takes depends on
# what else the machine does. The figures also go to results/clean_build.jsonl, from where run.sh puts them into the
# table: tokio alone stands for the floor.
set -euo pipefail
cd "$(dirname "$0")"
unset RUST_BACKTRACE

frameworks=("$@")
[ "$#" -gt 0 ] || frameworks=(tokio rpc tonic tarpc jsonrpsee connectrpc capnp)

# Two of them need a compiler of their interface language, as their documentation says.
packages=()
command -v protoc >/dev/null || packages+=(protobuf-compiler)
command -v capnp >/dev/null || packages+=(capnproto)
bash setup.sh ${packages[@]+"${packages[@]}"}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CARGO_TARGET_DIR=$scratch/target
TIMEFORMAT='%R %U %S'

record() {
    printf '{"round":1,"peer":"%s","workload":"w9","metric":"%s","value":%s}\n' "$@"
}

# The service itself is among them.
crates() {
    cargo tree --locked --offline --prefix none --edges normal,build -p "$1" | sed 's/ (\*)$//' | sort -u | wc -l
}

cargo fetch --quiet --locked
mkdir -p results
results=results/clean_build.jsonl
: >"$scratch/figures"
echo "| | seconds | CPU seconds | crates |"
echo "|---|---|---|---|"
for framework in "${frameworks[@]}"; do
    package=minimal-$framework
    rm -rf "$CARGO_TARGET_DIR"
    if ! times=$({ time cargo build --quiet --locked --offline --profile plain-release -p "$package" \
        >"$scratch/log" 2>&1; } 2>&1); then
        cat "$scratch/log" >&2
        exit 1
    fi
    read -r wall user system <<<"$times"
    cpu=$(awk "BEGIN { print $user + $system }")
    count=$(crates "$package")
    echo "| $framework | $wall | $cpu | $count |"
    peer=peer-$framework
    [ "$framework" != tokio ] || peer=floor-mux
    {
        record "$peer" cpu_s "$cpu"
        record "$peer" crates "$count"
    } >>"$scratch/figures"
done
mv "$scratch/figures" "$results"

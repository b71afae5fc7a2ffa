#!/usr/bin/env bash
# Counts the instructions of one call over the native wire, as `counts.sh` does, with and without the other wires in the
# build, and with a server that accepts them; and those of all that is not a call: starting, connecting, telling wires apart.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
unset RUST_BACKTRACE
source collected.sh

readonly few=2000 many=12000

counted() {
    local what=$1 wires=$2 run a b
    for run in 1 2 3; do
        a=$(collected instructions "$few" mem:counts "$wires")
        b=$(collected instructions "$many" mem:counts "$wires")
        echo "$(((b - a) / (many - few))) $((a - (b - a) / (many - few) * few))"
    done | sort -n | sed -n 2p | xargs printf '%-36s %8s a call %12s beside\n' "$what"
}

bash setup.sh
cargo build --quiet --locked --release -p counts
counted "native only in the build" native
cargo build --quiet --locked --release -p counts --features wires
counted "all wires in the build" native
counted "all wires in the build and accepted" all

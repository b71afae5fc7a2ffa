#!/usr/bin/env bash
# Counts the instructions of one small call of peers, client and server together, which do not depend on how busy the
# machine is (what is read at once does, a little):
#
#   bash benches/calls.sh peer-rpc-grpc peer-tonic
#
# One thread, 64 callers, one connection over loopback; the slope between two numbers of calls, the median of three runs.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
unset RUST_BACKTRACE
source collected.sh

readonly few=2000 many=12000

bash setup.sh
for peer in "$@"; do
    cargo build --quiet --locked --release -p "$peer"
    for _ in 1 2 3; do
        echo $((($(collected "$peer" calls "$many") - $(collected "$peer" calls "$few")) / (many - few)))
    done | sort -n | sed -n 2p | xargs printf '%-24s %8s instructions a call\n' "$peer"
done

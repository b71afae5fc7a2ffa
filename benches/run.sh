#!/usr/bin/env bash
# Measures every peer, interleaved, and prints one Markdown table:
#
#   bash benches/run.sh                          floors, ours, and the peers
#   bash benches/run.sh floor-mux peer-rpc       only these
#   ROUNDS=3 SECS=3 bash benches/run.sh          rounds, and seconds that a workload lasts: these are the defaults
#   WORKLOADS="w1 w2" bash benches/run.sh        only these workloads
#   PUBLISH=1 bash benches/run.sh                also writes docs/performance.md and its plots
#   NOBUILD=1 bash benches/run.sh                with what has been built before
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# With it, errors capture their backtrace, which is measured too.
unset RUST_BACKTRACE

peers=("$@")
if [ "$#" -eq 0 ]; then
    peers=(floor-raw floor-mux floor-spawn peer-rpc peer-rpc-grpc
        peer-tonic peer-tarpc peer-rpc-jsonrpc peer-jsonrpsee peer-connectrpc peer-capnp)
fi
read -ra workloads <<<"${WORKLOADS:-w1 w2 w3 w4 w4-vec w5 w6 w7 w10 fairness callers payload connections}"

# Each by itself: a feature that one peer switches on in a shared dependency would slow the others.
build() {
    local package previous=
    for package in report floors "${peers[@]}"; do
        case $package in floor-*) continue ;; esac
        [ "$package" = "$previous" ] || cargo build --quiet --locked --release -p "$package"
        previous=$package
    done
}

# The points of a sweep are many, so each is shorter.
seconds() {
    case $1 in
        callers | payload | connections) awk "BEGIN { print ${SECS:-3} / 3 }" ;;
        *) echo "${SECS:-3}" ;;
    esac
}

# Where a figure would be, a note says that there is none. A peer that fails with 1 has written it itself.
measure() {
    local round=$1 workload=$2 peer=$3 seconds status=0
    seconds=$(seconds "$workload")
    ROUND=$round SECS=$seconds timeout "${TIMEOUT:-120}" "$CARGO_TARGET_DIR/release/$peer" "$workload" || status=$?
    if [ "$status" -gt 1 ]; then
        echo "$peer $workload has failed with exit code $status" >&2
        printf '{"round":%s,"peer":"%s","workload":"%s","none":"failed with exit code %s"}\n' "$round" "$peer" "$workload" "$status"
    fi
}

[ -n "${NOBUILD:-}" ] || build
mkdir -p results
results=results/$(date +%Y%m%d-%H%M%S).jsonl
for round in $(seq "${ROUNDS:-3}"); do
    for workload in "${workloads[@]}"; do
        for peer in "${peers[@]}"; do
            measure "$round" "$workload" "$peer" >>"$results"
        done
    done
    echo "round $round: done at $(date +%T), load $(cut -d' ' -f1-3 /proc/loadavg)" >&2
done
echo "raw figures: benches/$results" >&2

# W9, if clean_build.sh has measured it.
figures=("$results")
[ ! -f results/clean_build.jsonl ] || figures+=(results/clean_build.jsonl)
"$CARGO_TARGET_DIR/release/report" table "${figures[@]}"
if [ -n "${PUBLISH:-}" ]; then
    "$CARGO_TARGET_DIR/release/report" publish ../docs "${figures[@]}"
fi

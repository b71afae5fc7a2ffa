#!/usr/bin/env bash
# What the library does under load, a table each; a part fails when what is promised of it does not hold:
#
#   bash benches/load.sh                     every part, about ten minutes on a quiet machine
#   bash benches/load.sh overload storm      only these
#   PUBLISH=1 bash benches/load.sh           also writes the tables and plots in docs/reliability/
#
#   connections   10,000 connections: what each costs while nobody calls
#   in-flight     1,000,000 calls that wait for their answers, on 100 connections
#   overload      up to ten times what a server can do, with and without layer::AdaptiveLimit
#   restarts      1,000 restarts of three servers in turn, under calls that must not fail
#   storm         a server that crashes and comes back to 2,000 clients
#   hostile       good clients beside peers that mean no good, on each wire
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
unset RUST_BACKTRACE

parts=("$@")
[ "$#" -gt 0 ] || parts=(connections in-flight overload restarts storm hostile)

# Each end of 10,000 connections is a file.
ulimit -n 12000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
cargo build --quiet --locked --release -p load

failed=()
for part in "${parts[@]}"; do
    folder=()
    if [ -n "${PUBLISH:-}" ]; then
        mkdir -p ../docs/reliability
        folder=(../docs/reliability)
    fi
    echo "## $part" >&2
    table=$("$CARGO_TARGET_DIR/release/load" "$part" "${folder[@]}") || failed+=("$part")
    printf '%s\n' "$table"
    [ -z "${PUBLISH:-}" ] || printf '%s\n' "$table" >"../docs/reliability/$part.md"
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "not as promised: ${failed[*]}" >&2
    exit 1
fi

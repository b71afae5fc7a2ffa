#!/usr/bin/env bash
# Counts the instructions and allocations of one call in W2, which do not depend on how fast or how busy the machine is,
# and compares them with counts.toml:
#
#   bash benches/counts.sh                   fails when one is more than 5 % worse
#   UPDATE_COUNTS=1 bash benches/counts.sh   writes what was counted into counts.toml
#
# One thread, 64 callers, one connection in memory, a clock that stands still. Instructions are the slope between two
# numbers of calls, so that starting up and connecting are not in them; all figures are medians of three runs.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
unset RUST_BACKTRACE
source collected.sh

readonly few=2000 many=12000 worse=1.05
# In counts.toml and out of it, in this order.
readonly names=(instructions allocations allocated_bytes)

bash setup.sh
# Only this framework: the peers are not built.
cargo build --quiet --locked --release -p counts
built=$CARGO_TARGET_DIR/release

median() {
    sort -n | sed -n 2p
}

count_instructions() {
    local run
    for run in 1 2 3; do
        echo $((($(collected instructions "$many") - $(collected instructions "$few")) / (many - few)))
    done | median
}

allocated=$(for run in 1 2 3; do "$built/allocations"; done)
counted=(
    "$(count_instructions)"
    "$(sed -n 's/^allocations //p' <<<"$allocated" | median)"
    "$(sed -n 's/^bytes //p' <<<"$allocated" | median)"
)

if [ -n "${UPDATE_COUNTS:-}" ]; then
    {
        echo "# What one call costs, by benches/counts.sh. To renew: UPDATE_COUNTS=1 bash benches/counts.sh"
        echo "rustc = \"$(rustc --version | cut -d' ' -f2)\""
        for i in "${!names[@]}"; do
            echo "${names[$i]} = ${counted[$i]}"
        done
    } >counts.toml
    cat counts.toml
    exit 0
fi

committed() {
    sed -n "s/^$1 = //p" counts.toml | tr -d '"'
}

status=0
printf '%-16s %10s %10s %8s\n' "a call" committed counted change
for i in "${!names[@]}"; do
    name=${names[$i]}
    awk -v name="$name" -v old="$(committed "$name")" -v new="${counted[$i]}" -v worse="$worse" 'BEGIN {
        if (old + 0 == 0 || new + 0 == 0) {
            print name ": no figure"
            exit 1
        }
        printf "%-16s %10s %10s %+7.1f%%\n", name, old, new, (new / old - 1) * 100
        exit new > old * worse
    }' || status=1
done
if [ "$status" -ne 0 ]; then
    {
        echo "A call has become more than 5 % more expensive than benches/counts.toml says."
        echo "If that is meant: UPDATE_COUNTS=1 bash benches/counts.sh, and say in the commit what it buys."
        echo "They were counted with rustc $(committed rustc); this is $(rustc --version | cut -d' ' -f2)."
    } >&2
fi
exit "$status"

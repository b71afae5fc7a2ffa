#!/usr/bin/env bash
# Shows that the simulation finds mistakes. Each of `patches/` plants one in the runtime; all of them go into one copy of
# the tree, where `_switch.patch` lets RPC_PLANTED say which one is made. So there is one build, and a run for each.
# `prove.sh NAME…` tries only these; RPC_SEEDS bounds how many seeds may be needed.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/planted.sh

proof=$PWD/target/proof
tree=$proof/tree
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export RUST_BACKTRACE=0
export RPC_SEEDS=${RPC_SEEDS:-2000}
bound=240

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in tests/simulation/patches/[!_]*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

planted_tree
# Without a repository around it, `git apply` is a plain patch.
for patch in "$PWD"/tests/simulation/patches/*.patch; do
    (cd "$tree" && GIT_CEILING_DIRECTORIES=$proof git apply "$patch") ||
        { echo "$(basename "$patch") does not apply any more: make it again" >&2; exit 1; }
done
# What an earlier run has compiled may be of other patches.
touch "$tree"/rpc-runtime/src/lib.rs

began=$SECONDS
# The same flags as in .ci/run, so that only this project's crates are compiled again; the lock file gets their new version.
built=$(cd "$tree" && cargo test --offline --workspace --all-features --test simulation --no-run --message-format short 2>&1) ||
    { echo "$built" >&2; exit 1; }
test=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$built")
cd "$tree/tests"
if ! output=$(RPC_SEEDS=100 timeout "$bound" "$test" 2>&1); then
    echo "the simulation fails without a mistake" >&2
    tail -n 40 <<<"$output" >&2
    exit 1
fi
echo "without a mistake it passes (after $((SECONDS - began)) s)"

missed=0
for name in "${names[@]}"; do
    if output=$(RPC_PLANTED=$name timeout "$bound" "$test" promises found 2>&1); then
        found="NOT FOUND in $RPC_SEEDS seeds" missed=1
    else
        found=$(grep -oEm 1 'after [0-9]+ seeds|it is stuck|test found::[a-z_]+ \.\.\. FAILED' <<<"$output" || true)
        what=$(grep -m 1 -A 2 '^seed ' <<<"$output" | sed -n 3p || true)
        [ -n "$found" ] || found="NOT FOUND: the run failed for another reason" missed=1
    fi
    printf '%-45s | %s%s\n' "$name" "$found" "${what:+:$what}"
    what=
done
echo "${#names[@]} mistakes, took $((SECONDS - began)) s"
exit "$missed"

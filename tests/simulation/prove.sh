#!/usr/bin/env bash
# Shows that the simulation finds mistakes: it must fail under each of `patches/`, and say so.
# Works on a copy of the tree. `prove.sh NAME…` tries only these patches.
set -euo pipefail
cd "$(dirname "$0")/../.."
patches=$PWD/tests/simulation/patches
export CARGO_TARGET_DIR=$PWD/target/proof
copy=$PWD/target/proof-tree
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in "$patches"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
rm -rf "$copy"
mkdir -p "$copy"
# Touched, because what an earlier run has compiled may be of a patched file.
tar --create --exclude ./target --exclude ./.git . | tar --extract --touch --directory "$copy"
missed=0
for name in "${names[@]}"; do
    patch --directory "$copy" --strip 1 --quiet <"$patches/$name.patch"
    (cd "$copy" && cargo test --quiet --package rpc-tests --test simulation --no-run 2>"$copy.log") ||
        { cat "$copy.log"; exit 1; }
    if output=$(cd "$copy" && RUST_BACKTRACE=0 cargo test --package rpc-tests \
        --test simulation -- promises found 2>&1); then
        echo "MISSED $name"
        missed=1
    else
        found=$(grep --only-matching --max-count 1 -E \
            'after [0-9]+ seeds|it is stuck|test found::[a-z_]+ \.\.\. FAILED' <<<"$output" || true)
        if [ -z "$found" ]; then
            echo "the simulation failed for another reason than a promise under $name:"
            tail -n 40 <<<"$output"
            exit 1
        fi
        echo "found  $name: $found"
        { grep --max-count 1 --after-context 2 '^seed ' || true; } <<<"$output" | tail -n 1
    fi
    patch --directory "$copy" --strip 1 --reverse --quiet <"$patches/$name.patch"
done
exit "$missed"

#!/usr/bin/env bash
# Shows that the tests of the promises can fail: each change in `patches/` breaks one promise on purpose, and this promise's
# tests have to notice. All of them go into one copy of the tree, where RPC_PLANTED says which one is made (`_switch.patch`):
# one build for all, and several run at once.
# Run it from anywhere; arguments choose changes by the beginning of their names (`prove.sh 02 07 json/04`).
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/planted.sh

patches=$PWD/tests/promises/patches
proof=$PWD/target/proof
tree=$proof/tree
export CARGO_TARGET_DIR=$PWD/target
# Most tests wait most of the time, above all where a promise is broken.
export RUST_TEST_THREADS=16
export RUST_BACKTRACE=0
at_once=3
# Seconds, long enough for every test to reach its own bound. A run that needs more proves nothing.
bound=200

fail() {
    echo "$1" >&2
    tail -n 40 "$proof/log" >&2
    exit 1
}

chosen() {
    local name=$1 prefix
    shift
    [ $# -gt 0 ] || return 0
    for prefix in "$@"; do [[ $name == "$prefix"* ]] && return 0; done
    return 1
}

# Runs the tests of a promise with one change, and says which of them caught it.
prove() {
    local name=$1 promise log ended=0 caught count
    promise=$(basename "$name")
    promise=$(basename promises/p"${promise%%-*}"_*.rs .rs)
    if [[ $name == json/* ]]; then promise=$promise::over_json; fi
    log=$proof/${name//\//-}.log
    RPC_PLANTED=$(basename "$name") timeout --kill-after=5 "$bound" "$tests" "$promise" >"$log" 2>&1 || ended=$?
    caught=$(sed -n 's/^test p[0-9]*_[a-z_]*::\(.*\) \.\.\. FAILED$/\1/p' "$log" | sort)
    count=$(printf '%s' "$caught" | grep -c . || true)
    if [ "$ended" -eq 124 ] || [ "$ended" -eq 137 ]; then
        caught='NONE: the tests hang instead of failing'
    elif [ "$ended" -eq 0 ] || [ "$count" -eq 0 ]; then
        caught='NONE: the promise can be broken unnoticed'
    else
        caught="$count: $(printf '%s\n' "$caught" | sed 's/::[a-z]*$//' | uniq | tr '\n' ' ')"
    fi
    printf '%-8s | %-48s | %s\n' "${promise%%_*}" "$name" "$caught" | tee "$log.result"
}

planted_tree
began=$SECONDS
names=()
for patch in "$patches"/_switch.patch "$patches"/[!_]*.patch "$patches"/json/*.patch; do
    name=${patch#"$patches"/}
    # Without a repository around it, `git apply` is a plain patch.
    (cd "$tree" && GIT_CEILING_DIRECTORIES=$proof git apply "$patch") >"$proof/log" 2>&1 \
        || fail "$name does not apply any more: make it again"
    if [[ $name != _* ]] && chosen "${name%.patch}" "$@"; then names+=("${name%.patch}"); fi
done
[ ${#names[@]} -gt 0 ] || fail "there is no such change: $*"
# What an earlier run has built may be newer than these files.
touch "$tree"/rpc-runtime/src/lib.rs
# The same flags as in .ci/run, so that only this project's crates are compiled again; the lock file gets their new version.
(cd "$tree" && cargo test --offline --quiet --workspace --all-features --test promises --no-run --message-format json) \
    >"$proof/built" 2>"$proof/log" || fail "the changes do not build any more: make them again"
tests=$(sed -n 's/.*"executable":"\([^"]*\/promises-[^"]*\)".*/\1/p' "$proof/built")
export proof bound tests
export -f prove
cd "$tree"/tests
RPC_PLANTED=none "$tests" >"$proof/log" 2>&1 || fail "the tests fail without any change"
echo "without a change all tests pass (after $((SECONDS - began)) s)"
rm -f "$proof"/*.result
printf '%-8s | %-48s | %s\n' promise change 'tests that caught it'
printf '%s\n' "${names[@]}" | xargs -P "$at_once" -I{} bash -c 'prove "$1"' _ {}
echo "took $((SECONDS - began)) s"
! grep -q '| NONE' "$proof"/*.result

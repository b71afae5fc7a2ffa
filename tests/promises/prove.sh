#!/usr/bin/env bash
# Shows that the tests of the promises can fail: applies each change in `patches/`, which breaks one
# promise on purpose, to a copy of the tree, and requires that this promise's tests notice.
# Those in `patches/json/`, for the wires of JSON, go into one copy together, where `_switch.patch` lets RPC_PLANTED say which
# change is made: one build for all of them.
# Run it from anywhere; arguments choose patches by the beginning of their names (`prove.sh 02 07 json/04`).
set -euo pipefail
cd "$(dirname "$0")/../.."

proof=$PWD/target/proof
tree=$proof/tree
export CARGO_TARGET_DIR=$proof/build
# Most tests wait most of the time, above all where a promise is broken.
export RUST_TEST_THREADS=16
export RUST_BACKTRACE=0
# Long enough for every test to reach its own bound. A run that needs more proves nothing.
bound=150

rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done \
    | tar --null -T - -cf - | tar -xf - -C "$tree"
# An earlier run may have left a broken build that is newer than these files.
touch "$tree"/rpc-runtime/src/lib.rs

# Without a repository around it, `git apply` is a plain patch. It gives what it writes a new time,
# so that cargo builds again after each step.
apply() { (cd "$tree" && GIT_CEILING_DIRECTORIES=$proof git apply "$@"); }
build() { (cd "$tree" && cargo test --quiet -p rpc-tests --test promises --no-run) >"$proof/log" 2>&1; }
run() { (cd "$tree" && timeout --kill-after=5 "$bound" cargo test -p rpc-tests --test promises "$@") >"$proof/log" 2>&1; }
fail() {
    echo "$1" >&2
    tail -n 40 "$proof/log" >&2
    exit 1
}

chosen() {
    [ $# -eq 1 ] && return 0
    local name=$1 prefix
    shift
    for prefix in "$@"; do [[ $name == "$prefix"* ]] && return 0; done
    return 1
}

began=$SECONDS
build || fail "the tests do not build"
run || fail "the tests fail without any patch"
echo "without a patch all tests pass (after $((SECONDS - began)) s)"

missed=0
# Says which tests caught a change; `ended` is how the run of its promise's tests ended.
report() {
    local promise=$1 name=$2 ended=$3 caught count
    caught=$(sed -n 's/^test p[0-9]*_[a-z_]*::\(.*\) \.\.\. FAILED$/\1/p' "$proof/log" | sort)
    count=$(printf '%s' "$caught" | grep -c . || true)
    if [ "$ended" -eq 124 ] || [ "$ended" -eq 137 ]; then
        missed=1 caught='NONE: the tests hang instead of failing'
    elif [ "$ended" -eq 0 ] || [ "$count" -eq 0 ]; then
        missed=1 caught='NONE: the promise can be broken unnoticed'
    else
        caught="$count: $(printf '%s\n' "$caught" | sed 's/::[a-z]*$//' | uniq | tr '\n' ' ')"
    fi
    printf '%-8s | %-38s | %s\n' "$promise" "$name" "$caught"
}
printf '%-8s | %-38s | %s\n' promise patch 'tests that caught it'
for patch in "$PWD"/tests/promises/patches/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ] && ! chosen "$name" "$@"; then continue; fi
    promise=p${name%%-*}
    : >"$proof/log"
    apply "$patch" || fail "$name does not apply any more: make it again"
    build || fail "$name does not build any more: make it again"
    ended=0
    run "$promise" || ended=$?
    apply -R "$patch"
    report "$promise" "$name" "$ended"
done

planted=()
for patch in "$PWD"/tests/promises/patches/json/[!_]*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -eq 0 ] || chosen "json/$name" "$@"; then planted+=("$name"); fi
done
if [ ${#planted[@]} -gt 0 ]; then
    for patch in "$PWD"/tests/promises/patches/json/*.patch; do
        apply "$patch" || fail "$(basename "$patch") does not apply any more: make it again"
    done
    build || fail "the patches of JSON do not build any more: make them again"
    for name in "${planted[@]}"; do
        file=$(basename tests/promises/p"${name%%-*}"_*.rs .rs)
        ended=0
        RPC_PLANTED=$name run "$file::over_json" || ended=$?
        report "p${name%%-*}" "json/$name" "$ended"
    done
fi
echo "took $((SECONDS - began)) s"
exit "$missed"

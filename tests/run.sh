#!/usr/bin/env bash
# Runs every test of the workspace; the last line tells how many passed.
#
#   bash tests/run.sh             all tests, and the examples in the documentation
#   bash tests/run.sh deadline    only the tests with that word in their name: arguments go to the test runner
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/setup.sh

# The same flags as in .ci/run, so that nothing is compiled twice.
flags=(--locked --workspace --all-features)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

run() {
    "$@" 2>&1 | tee -a "$log" || status=1
}

if cargo nextest --version >/dev/null 2>&1; then
    run cargo nextest run "${flags[@]}" --no-fail-fast "$@"
else
    # `--tests` leaves the documentation to the step below.
    run cargo test "${flags[@]}" --tests --no-fail-fast "$@"
fi
if [ "$#" -eq 0 ]; then
    run cargo test "${flags[@]}" --doc --no-fail-fast
    run bash tests/conformance/run.sh
fi

# "12 tests run: 11 passed, 1 failed, 0 skipped" from nextest, "test result: ok. 11 passed; 1 failed; …" from cargo test.
sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
    /tests? run:|^test result:/ {
        if (match($0, /[0-9]+ passed/)) passed += substr($0, RSTART, RLENGTH)
        if (match($0, /[0-9]+ failed/)) failed += substr($0, RSTART, RLENGTH)
        if (match($0, /[0-9]+ timed out/)) failed += substr($0, RSTART, RLENGTH)
    }
    END { printf "\n%d passed, %d failed\n", passed, failed }
'
if [ "$status" -ne 0 ]; then
    echo "the tests have failed, see above" >&2
fi
exit "$status"

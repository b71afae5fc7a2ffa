#!/usr/bin/env bash
# Google's conformance tests of protobuf, binary and JSON, through our codec; and through buffa alone, which has to fail
# the same tests: bash tests/conformance/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --locked --quiet -p rpc-conformance
testee=${CARGO_TARGET_DIR:-$PWD/target}/debug/rpc-conformance
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#!/bin/sh\nexec "%s" --plain\n' "$testee" >"$work/plain"
chmod +x "$work/plain"

for way in "$testee" "$work/plain"; do
    # It stops at the first line that it cannot write, hence the folder.
    if ! bash tests/conformance/runner.sh --enforce_recommended --maximum_edition 2023 --output_dir "$work" \
        --failure_list tests/conformance/expected_failures.txt "$way" >"$work/log" 2>&1; then
        cat "$work/log"
        echo "test result: FAILED. 0 passed; 1 failed: the conformance tests, answered by ${way##*/}"
        exit 1
    fi
    grep -a "CONFORMANCE SUITE PASSED: [1-9]" "$work/log" | head -1
done
echo "test result: ok. 2 passed; 0 failed: the conformance tests"

#!/usr/bin/env bash
# Runs every example as CI does. Without arguments each must show what it does and exit with 0; one that needs
# arguments has a script examples/demo/NAME.sh instead, which is given the path of the program.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --workspace --all-features --bins
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

shown=0
for source in examples/src/bin/*; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .rs)
    program=$target/debug/$name
    printf '\n--- %s\n' "$name"
    # A demonstration that hangs is a failure, not a wait.
    if [ -e "examples/demo/$name.sh" ]; then
        timeout 300 bash "examples/demo/$name.sh" "$program"
    else
        timeout 300 "$program"
    fi
    shown=$((shown + 1))
done
printf '\n%d examples ran\n' "$shown"

#!/usr/bin/env bash
# Fuzzes every target with libFuzzer, guided by coverage, on the stable compiler: bash fuzz/run.sh [SECONDS] [TARGET…]
# Each target runs for SECONDS (20 where nobody says otherwise), as many at a time as there are processors, and begins with
# the committed corpus and what earlier runs found, which stays in fuzz/target/work. MERGE=1 takes a dozen of those findings into
# each committed corpus, which reach what nothing there reaches.
set -euo pipefail
cd "$(dirname "$0")"

seconds=20
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
known=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets <<<"$known"
for name in "${targets[@]}"; do
    grep -qx "$name" <<<"$known" || { echo "no target \`$name\`; there are:" $known >&2; exit 2; }
done

# The same as `cargo fuzz build --sanitizer none` does, which asks for nothing that is not stable. What a sanitizer of
# addresses looks for is impossible in this project's crates, as they forbid unsafe code. Flags from outside are kept.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
# Not the variable itself: the folder that the rest is compiled into is no place for what is built with other flags.
export CARGO_TARGET_DIR=$PWD/target
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target named, build scripts and macros are compiled without these flags.
echo "building ${#targets[@]} targets"
RUSTFLAGS="${RUSTFLAGS:-} $(tr -s ' \n' ' ' <<<"$coverage")" \
    cargo build --quiet --locked --release --target "$host" --bins
export programs=target/$host/release
echo "built after $SECONDS s"

export work=$PWD/target/work seconds
export TMPDIR=$work/tmp RUST_BACKTRACE=0
rm -rf "$TMPDIR" "$work/failed"
mkdir -p "$TMPDIR" "$work/failed"

fuzz() {
    local name=$1 log=$work/$1.log found=$work/$1/found artifacts=$work/$1/artifacts/
    local status=0 runs=0 edges=0 features=0 all=0 input
    mkdir -p "$found" "$artifacts"
    # Memory that is asked for and never touched is not resident, so addresses are bounded as well.
    (ulimit -v 4194304 && exec "$programs/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$artifacts" "$found" "corpus/$name") >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    read -r edges features < <(sed -n 's/.*cov: \([0-9]*\) ft: \([0-9]*\) .*/\1 \2/p' "$log" | tail -n 1) || true
    all=$(sed -n 's/.*PC tables (\([0-9]*\) PCs).*/\1/p' "$log")
    printf '%-24s %10s executions %7s of %6s edges %7s features\n' \
        "$name" "${runs:-0}" "${edges:-0}" "${all:-0}" "${features:-0}" | tee "$work/$name.result"
    [ "$status" -ne 0 ] || return 0
    touch "$work/failed/$name"
    {
        echo "target \`$name\` fails:"
        grep -v '^\(#[0-9]*\s\|INFO:\|stat::\)' "$log" | tail -n 40
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$input" ] || echo "replay it with: $PWD/$programs/$name $input"
        echo "all it said: $log"
    } >&2
}
export -f fuzz

for name in "${targets[@]}"; do rm -f "$work/$name.result"; done
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'

for name in "${targets[@]}"; do cat "$work/$name.result"; done |
    awk '{ runs += $2; edges += $4 } END { printf "%d targets, %d executions, %d edges", NR, runs, edges }'
echo ", $seconds s each, took $SECONDS s"
if [ -n "$(ls "$work/failed")" ]; then
    echo "failed:" "$(ls "$work/failed" | tr '\n' ' ')" >&2
    exit 1
fi

if [ -n "${MERGE:-}" ]; then
    for name in "${targets[@]}"; do
        # By edges alone, however often each is taken, and those first that reach the most. What is committed stays small: so few
        # of them, and none that is long.
        merged=$work/$name/merged
        rm -rf "$merged"
        cp -r "corpus/$name" "$merged"
        touch "$work/$name/began"
        "$programs/$name" -set_cover_merge=1 -use_counters=0 -timeout=20 "$merged" "$work/$name/found" >"$work/$name.merged" 2>&1
        find "$merged" -type f -newer "$work/$name/began" -size -2k -printf '%T@ %p\n' | sort -n | head -n 12 |
            cut -d ' ' -f 2 | xargs -r cp -n -t "corpus/$name"
    done
    du -sh --apparent-size corpus
fi

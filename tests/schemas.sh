#!/usr/bin/env bash
# Holds rpc-build to what protoc and buf say: to their verdicts on the small files of rpc-build/tests/verdicts, and to protoc's
# descriptors of real packages (rpc-build/tests/realworld), for which the Rust that is generated must compile. Nothing of
# the product needs either of them.
#
#   bash tests/schemas.sh                 what CI runs: two minutes
#   bash tests/schemas.sh --write         after a change of the small files: writes the table of verdicts
#   bash tests/schemas.sh --all           all packages: 9,000 files, ten minutes
#   bash tests/schemas.sh --rust --all    the Rust of all packages: hours
set -euo pipefail
cd "$(dirname "$0")/.."

oracles=$PWD/target/oracles
if [ ! -e "$oracles/done-1" ]; then
    rm -rf "$oracles"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$oracles" grpcio-tools==1.85.1 buf-bin==1.75.0
    touch "$oracles/done-1"
fi
export PYTHONPATH=$oracles PATH=$oracles/bin:$PATH

if [ "${1:-}" = --write ]; then
    exec python3 rpc-build/tests/verdicts/oracle.py
fi
# The same flags as in .ci/run, so that nothing is compiled twice.
cargo build --locked --workspace --all-features --lib --example proto_check
if [ "${1:-}" = --rust ]; then
    exec python3 rpc-build/tests/realworld/generate.py "${@:2}"
fi
if [ "${1:-}" = --all ]; then
    exec python3 rpc-build/tests/realworld/compare.py --all
fi
python3 rpc-build/tests/verdicts/oracle.py --check
python3 rpc-build/tests/realworld/compare.py --ci
python3 rpc-build/tests/realworld/generate.py --ci

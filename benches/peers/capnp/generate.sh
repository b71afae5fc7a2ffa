#!/usr/bin/env bash
# Generates src/bench_capnp.rs anew out of proto/bench.capnp: bash benches/peers/capnp/generate.sh
#
# Its result is committed, so that building the peer needs no tool beside Rust. This needs `capnp` (Debian: capnproto, libcapnp-dev),
# and Cap'n Proto's Rust plugin: cargo install capnpc@0.27.0
set -euo pipefail
cd "$(dirname "$0")/../../proto"
capnp compile -o "rust:../peers/capnp/src" bench.capnp

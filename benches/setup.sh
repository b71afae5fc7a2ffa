#!/usr/bin/env bash
# Installs what the benchmark needs besides Rust, as far as it is missing: bash benches/setup.sh
set -euo pipefail

command -v valgrind >/dev/null && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
    echo "benches/counts.sh needs valgrind. It can be installed by root: apt-get install valgrind" >&2
    exit 1
fi
echo "Installing for the benchmark: valgrind"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind

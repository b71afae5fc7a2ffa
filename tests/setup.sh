#!/usr/bin/env bash
# Installs what the tests need besides Rust, as far as it is missing: bash tests/setup.sh
set -euo pipefail

# A command that must exist, and the Debian package that has it.
needed=(
    cc=build-essential   # Rust's linker
    python3=python3      # the clients in another language
    curl=curl            # an HTTP client that is not ours
    openssl=openssl      # another implementation of TLS
    pip3=python3-pip     # protoc and buf, for tests/schemas.sh
    npm=npm              # packages with .proto files, for the same
)

# Peers in Python, in an environment of their own: the system's is not ours to change.
grpcio=1.85.1
environment=$(dirname "$0")/../target/tools/python

install_grpcio() {
    "$environment/bin/python" -c "import grpc; assert grpc.__version__ == '$grpcio'" 2>/dev/null && return
    echo "Installing for the tests: grpcio $grpcio"
    python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "grpcio==$grpcio"
}

packages=()
for entry in "${needed[@]}"; do
    command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
done
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
    packages+=(python3-venv)
fi
if [ "${#packages[@]}" -eq 0 ]; then
    install_grpcio
    exit 0
fi

as_root=()
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
install_grpcio

#!/usr/bin/env bash
# Shows `math` alone, from two terminals, to curl and a browser, and over worker processes. Usage: math.sh PROGRAM
set -euo pipefail
math=$1
directory=$(mktemp -d)
server=
pages=
viewer=
trap 'kill "$server" $pages $viewer 2>/dev/null || true; rm -rf "$directory"' EXIT

"$math"

# The first terminal: serves at a free port, which it says on standard error.
serve() {
    local log=$directory/log
    : >"$log"
    "$math" serve "$@" 2>"$log" &
    server=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/^serving at //p' "$log")
        [ -n "$url" ] && break
        sleep 0.1
    done
    [ -n "$url" ] || { cat "$log" >&2; exit 1; }
    printf '\n$ math serve %s\n%s\n' "$*" "serving at $url"
}
serve tcp://127.0.0.1:0

# The second terminal.
call() {
    printf '$ math call %s\n' "$url $*"
    timeout 60 "$math" call "$url" "$@" 2>&1
}
refused() {
    if call "$@"; then
        echo 'this call was to be refused' >&2
        exit 1
    fi
}
call hello Alice
call get_time
call math.v1.Math/add 2 3
call math.v1.Math/subtract '{"b": 3, "a": 10}'
call math.v1.Math/factorial 25
call math.v1.Math/primes 12
refused math.v1.Math/divide 1 0
refused users.v1.Users/list
call --token example-token users.v1.Users/create Ann
call --token example-token users.v1.Users/list
refused --timeout 0.1 math.v1.Math/wait 10000

# Without a client of ours.
if command -v curl >/dev/null; then
    printf '$ curl -d … http://%s/math.v1.Math/add\n' "${url#tcp://}"
    curl --silent --show-error --fail-with-body --max-time 20 -d '{"a":10,"b":20}' \
        -H 'content-type: application/json' "http://${url#tcp://}/math.v1.Math/add" && echo
fi

address=${url#tcp://}
lines() {
    printf '$ … | nc %s %s\n%s\n' "${address%:*}" "${address##*:}" "$1"
    timeout 60 python3 -c 'import socket, sys
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.sendall(sys.argv[3].encode() + b"\n")
print(peer.makefile().readline(), end="")' "${address%:*}" "${address##*:}" "$1"
}
lines '{"jsonrpc": "2.0", "method": "math.v1.Math.add", "params": [10, 20], "id": 1}'
lines '{"method": "add", "params": [10, 20], "kwargs": {}}'
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$root/target/tools/python/bin/python
if [ -x "$python" ]; then
    printf '$ python -c "…kn_sock.RPCClient…"\n'
    timeout 60 "$python" -c 'import sys, kn_sock
client = kn_sock.RPCClient(sys.argv[1], int(sys.argv[2]))
print(client.call("add", 10, 20), client.call("add", a=1, b=2))' "${address%:*}" "${address##*:}"
else
    echo 'skipped: kn-sock is missing (bash tests/setup.sh installs it)'
fi
printf '$ python3 examples/python/lpjson.py %s add 10 20\n' "${address%:*} ${address##*:}"
timeout 60 python3 examples/python/lpjson.py "${address%:*}" "${address##*:}" add 10 20
call_as() {
    url=$1://$address call "${@:2}"
}
if command -v curl >/dev/null; then
    for text in '{"jsonrpc": "2.0", "method": "add", "params": [10, 20], "id": 1}' \
        '[{"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": 1}, {"jsonrpc": "2.0", "method": "divide", "params": [1, 0], "id": 2}]'; do
        printf '$ curl -d … http://%s\n%s\n' "$address" "$text"
        curl --silent --show-error --fail-with-body --max-time 20 -d "$text" -H 'content-type: application/json' "http://$address" && echo
    done
fi
call_as jsonrpc+tcp math.v1.Math/add 10 20
call_as jsonrpc+http math.v1.Math/add 10 20
call_as jsonrpc+ws math.v1.Math/add 10 20
call_as jsonrpc+tcp rpc.discover | head -c 120 && echo …
call_as knsock add 10 20
call_as lpjson math.v1.Math/add 10 20

# An interrupted server finishes its calls and ends.
stop() {
    kill -INT "$server"
    wait "$server"
    printf 'the server ended in good order\n'
}
stop

# A page in a browser, from a server of its own, as the pages of a site are.
browser=$(command -v chromium-headless-shell || command -v chromium || command -v google-chrome || true)
if [ -n "$browser" ]; then
    : >"$directory/pages"
    timeout 180 python3 "$root/examples/page/serve.py" >"$directory/pages" &
    pages=$!
    for _ in $(seq 600); do
        port=$(sed -n 1p "$directory/pages")
        [ -n "$port" ] && break
        sleep 0.1
    done
    serve tcp://127.0.0.1:0 --allow-origin "http://127.0.0.1:$port"
    page="http://127.0.0.1:$port/?server=http://${url#tcp://}&report"
    printf '$ %s %s\n' "$(basename "$browser")" "$page"
    # Without a sandbox, which root has none of.
    timeout 180 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$directory/browser" \
        --remote-debugging-port=0 "$page" 2>/dev/null &
    viewer=$!
    wait "$pages" || { echo 'the page does not say what it shows' >&2; exit 1; }
    kill "$viewer"
    tail -n +2 "$directory/pages"
    for expected in 'add {"a":10,"b":20}: 30' '"2432902008176640000"' 'invalid_argument: cannot divide' \
        'ticks: 30000 of 30000 came, 0 were lost'; do
        grep -qF "$expected" "$directory/pages" || { echo "the page does not show $expected" >&2; exit 1; }
    done
    stop
else
    echo 'skipped: there is no browser (bash tests/setup.sh installs one)'
fi

# The same over TLS, with a certificate that vouches for itself.
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=math \
        -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
        -keyout "$directory/key.pem" -out "$directory/math.pem" 2>/dev/null
    serve tls://127.0.0.1:0 --tls-certificate "$directory/math.pem" --tls-key "$directory/key.pem"
    call --tls-roots "$directory/math.pem" math.v1.Math/add 2 3
    refused math.v1.Math/add 2 3
    stop
else
    echo 'skipped: the certificate is made by openssl (bash tests/setup.sh installs it)'
fi

printf '\n$ math workers 3\n'
timeout 180 "$math" workers 3

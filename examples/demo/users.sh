#!/usr/bin/env bash
# Shows `users` alone, from two terminals, by hand, and to clients in other languages. Usage: users.sh PROGRAM
set -euo pipefail
users=$1
place=$(mktemp -d)

"$users"

# The first terminal: serves both versions at a free port.
: >"$place/log"
"$users" serve tcp://127.0.0.1:0 >"$place/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
for _ in $(seq 600); do
    url=$(sed -n 's/^serving at //p' "$place/log")
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { cat "$place/log" >&2; exit 1; }
printf '\n$ users serve tcp://127.0.0.1:0\nserving at %s\n' "$url"

# The second terminal.
client() {
    local command=$1
    shift
    printf '$ users %s\n' "$command $url $*"
    timeout 180 "$users" "$command" "$url" "$@" 2>&1
}
client create 'Ada Lovelace'
client create Alan --v2 Turing
client get 2
client get 1 --v2
client create-many 'Grace Hopper' 'Edsger Dijkstra'
client list
echo 'is Ada Lovelace here?' | client chat
if client get 99; then
    echo 'a user that nobody made was to be refused' >&2
    exit 1
fi

# The same by hand.
printf '\n$ users interactive %s\n' "$url"
HOME=$place timeout 180 "$users" interactive "$url" >"$place/answers" <<'CALLS'
methods
users.v1.Users/GetUser {"id": 1}
users.v2.Users/GetUser {"id": "1"}
users.v1.Users/ListUsers {}
users.v1.Users/CreateUsers {"name": "A"} {"name": "B"}
users.v1.Users/Chat {"text": "A?"} {"text": "nobody"}
users.v1.Users/GetUser {"id": 99}
quit
CALLS
cat "$place/answers"
for expected in '{"id":"1","name":"Ada Lovelace"}' '"givenName":"Ada"' '{"ids":["5","6"]}' '{"text":"I know A"}' 'there is no user 99'; do
    grep -qF "$expected" "$place/answers" || { echo "there is no $expected" >&2; exit 1; }
done

# Clients in other languages, which know nothing of this library.
root=$(cd "$(dirname "$0")/../.." && pwd)
address=${url#tcp://}
missing() {
    echo "skipped: $1 is missing (bash tests/setup.sh installs it)"
}
expect() {
    grep -qF "$1" "$place/answers" || { echo "there is no $1" >&2; exit 1; }
}

python=$root/target/tools/python/bin/python
if [ -x "$python" ]; then
    mkdir "$place/stubs"
    "$python" -m grpc_tools.protoc -I "$root/examples/proto" -I "$root/rpc-build/proto" \
        --python_out="$place/stubs" --grpc_python_out="$place/stubs" users/v1/users.proto rpc/v1/options.proto
    printf '\n$ python call_users.py %s\n' "$address"
    PYTHONPATH=$place/stubs timeout 180 "$python" "$root/examples/clients/call_users.py" "$address" | tee "$place/answers"
    expect 'I know Tony Hoare; I know nobody in "and Zoe?"'
    expect 'refused: NOT_FOUND there is no user 99'
else
    missing grpcio
fi

if [ -d "$root/tests/node/node_modules/@grpc" ]; then
    printf '\n$ node call_users.cjs %s\n' "$address"
    NODE_PATH=$root/tests/node/node_modules timeout 180 node "$root/examples/clients/call_users.cjs" "$address" | tee "$place/answers"
    expect 'I know Donald Knuth; I know nobody in "and Zoe?"'
    expect 'refused: 5 there is no user 99'
else
    missing grpc-js
fi

if command -v curl >/dev/null; then
    printf '\n$ curl -d … http://%s/users.v1.Users/GetUser\n' "$address"
    curl --silent --show-error --fail-with-body --max-time 20 -d '{"id":1}' -H 'content-type: application/json' \
        "http://$address/users.v1.Users/GetUser" | tee "$place/answers"
    echo
    expect '"name":"Ada Lovelace"'
else
    missing curl
fi

kill -INT "$server"
wait "$server"
echo 'the server ended in good order'

#!/usr/bin/env bash
# Shows `users` alone, from two terminals, and by hand. Usage: users.sh PROGRAM
set -euo pipefail
users=$1
place=$(mktemp -d)

"$users"

# The first terminal: serves both versions at a free port.
"$users" serve tcp://127.0.0.1:0 >"$place/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
for _ in $(seq 100); do
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
    timeout 60 "$users" "$command" "$url" "$@" 2>&1
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
HOME=$place timeout 60 "$users" interactive "$url" >"$place/answers" <<'CALLS'
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

kill -INT "$server"
wait "$server"
echo 'the server ended in good order'

#!/usr/bin/env bash
# Shows `math` alone, from two terminals, and over worker processes. Usage: math.sh PROGRAM
set -euo pipefail
math=$1
log=$(mktemp)

"$math"

# The first terminal: serves at a free port, which it says on standard error.
"$math" serve tcp://127.0.0.1:0 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 100); do
    url=$(sed -n 's/^serving at //p' "$log")
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { cat "$log" >&2; exit 1; }
printf '\n$ math serve tcp://127.0.0.1:0\n%s\n' "serving at $url"

# The second terminal.
call() {
    printf '$ math call %s\n' "$url $*"
    timeout 20 "$math" call "$url" "$@" 2>&1
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

# An interrupted server finishes its calls and ends.
kill -INT "$server"
wait "$server"
printf 'the server ended in good order\n\n$ math workers 3\n'
timeout 60 "$math" workers 3

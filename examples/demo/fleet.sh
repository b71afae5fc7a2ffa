#!/usr/bin/env bash
# Shows `fleet` with a registry in memory, and with one in a Redis of its own. Usage: fleet.sh PROGRAM
set -euo pipefail
fleet=$1
place=$(mktemp -d)

"$fleet"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$port" --bind 127.0.0.1 --dir "$place" --save '' >"$place/log" &
redis=$!
trap 'kill "$redis" 2>/dev/null || true; rm -rf "$place"' EXIT
for _ in $(seq 600); do
    redis-cli -p "$port" ping >/dev/null 2>&1 && break
    kill -0 "$redis" 2>/dev/null || { echo "redis-server has ended:" >&2; cat "$place/log" >&2; exit 1; }
    sleep 0.1
done
printf '\n$ fleet --redis redis://127.0.0.1:%s\n' "$port"
"$fleet" --redis "redis://127.0.0.1:$port"

#!/usr/bin/env bash
# Shows `files` alone and from two terminals. Usage: files.sh PROGRAM
set -euo pipefail
files=$1
place=$(mktemp -d)

"$files"

mkdir "$place/shared"
head -c 3000001 /dev/urandom >"$place/data.bin"
# The first terminal: serves at a free port, which it says on standard error.
"$files" serve "$place/shared" --url tcp://127.0.0.1:0 2>"$place/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
for _ in $(seq 600); do
    url=$(sed -n 's/^serving .* at //p' "$place/log")
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { cat "$place/log" >&2; exit 1; }
printf '\n$ files serve shared --url tcp://127.0.0.1:0\nserving shared at %s\n' "$url"

# The second terminal.
cd "$place"
client() {
    local command=$1
    shift
    printf '$ files %s\n' "$command $url $*"
    timeout 180 "$files" "$command" "$url" "$@" 2>&1
}
client put data.bin
client list
# What a broken download leaves; the next one goes on from there.
head -c 1000000 data.bin >copy.bin.part
client get data.bin copy.bin
cmp data.bin copy.bin
if client get ../data.bin stolen.bin; then
    echo 'a path out of the folder was to be refused' >&2
    exit 1
fi

kill -INT "$server"
wait "$server"
echo 'the server ended in good order'

# Sourced by the scripts that count: `collected program arguments…` prints the instructions that a program of ours takes.
collected() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$CARGO_TARGET_DIR/release/$1" "${@:2}" 2>&1 |
        sed -n 's/.*Collected : //p'
}

//! Compiles the schema of the benchmark.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::compile(["../../proto/bench.proto"])
}

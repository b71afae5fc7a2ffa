//! protox compiles the `.proto` file in Rust, so that `protoc` is not needed.
use std::path::Path;

use anyhow::Context as _;
use prost::Message as _;

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=../../proto/bench.proto");
    let files = protox::compile(["../../proto/bench.proto"], ["../../proto"])?;
    let folder = std::env::var_os("OUT_DIR").context("no OUT_DIR")?;
    let descriptors = Path::new(&folder).join("descriptors.bin");
    std::fs::write(&descriptors, files.encode_to_vec())?;
    connectrpc_build::Config::new()
        .descriptor_set(descriptors)
        .files(&["bench.proto"])
        .include_file("generated.rs")
        .compile()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

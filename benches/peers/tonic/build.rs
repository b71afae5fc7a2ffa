//! protox compiles the `.proto` file in Rust, so that `protoc` is not needed.
fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=../../proto/bench.proto");
    let files = protox::compile(["../../proto/bench.proto"], ["../../proto"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}

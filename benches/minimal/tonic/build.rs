//! As tonic's documentation has it: it needs `protoc`.
fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=../../proto/minimal.proto");
    tonic_prost_build::configure().compile_protos(&["../../proto/minimal.proto"], &["../../proto"])
}

//! As its documentation has it: it needs `capnp`.
fn main() {
    println!("cargo::rerun-if-changed=../../proto/minimal.capnp");
    capnpc::CompilerCommand::new()
        .src_prefix("../../proto")
        .file("../../proto/minimal.capnp")
        .run()
        .expect("capnp is installed");
}

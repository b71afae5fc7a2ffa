//! As connectrpc's documentation has it: it needs `protoc`.
fn main() {
    connectrpc_build::Config::new()
        .files(&["../../proto/minimal.proto"])
        .includes(&["../../proto"])
        .include_file("_connectrpc.rs")
        .compile()
        .expect("protoc is installed");
}

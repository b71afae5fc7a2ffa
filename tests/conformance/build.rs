//! Generates the messages of the conformance tests, from what `update.sh` writes.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::Config::new()
        .descriptor_set("messages.binpb")
        .compile()
}

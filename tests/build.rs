//! Compiles the schemas of the tests with software that is not ours.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::compile(["connect/proto/matrix.proto", "interop/proto/test.proto"])
}

//! Compiles the schema of gRPC's interoperability tests.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::compile(["interop/proto/test.proto"])
}

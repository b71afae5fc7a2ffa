//! Compiles the schemas of the `users` program.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::compile(["proto/users/v1/users.proto", "proto/users/v2/users.proto"])
}

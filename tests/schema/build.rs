//! Compiles the schemas in `proto`.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::compile([
        "proto/kinds/legacy/legacy.proto",
        "proto/kinds/v1/kinds.proto",
        "proto/names/v1/names.proto",
        "proto/outside.proto",
        "proto/store/v1/store.proto",
        "proto/users/v1/users.proto",
        "proto/users/v2/users.proto",
    ])
}

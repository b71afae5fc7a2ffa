//! Compiles the schemas in `proto`.

fn main() -> Result<(), rpc_build::Error> {
    // For `tests/parity.rs`, which reads what was written.
    println!(
        "cargo::rustc-env=SCHEMA_OUT={}",
        std::env::var("OUT_DIR").unwrap_or_default()
    );
    rpc_build::compile([
        "proto/kinds/legacy/legacy.proto",
        "proto/kinds/v1/kinds.proto",
        "proto/names/v1/names.proto",
        "proto/names/v2/names.proto",
        "proto/names/v3/names.proto",
        "proto/names/v4/names.proto",
        "proto/names/v5/names.proto",
        "proto/names/v6/names.proto",
        "proto/outside.proto",
        "proto/store/v1/store.proto",
        "proto/users/v1/users.proto",
        "proto/users/v2/users.proto",
        "proto/wide/v1/wide.proto",
    ])
}

//! Compiles the schemas in `proto`.

use std::path::PathBuf;

use rpc_build::Config;

fn main() -> Result<(), rpc_build::Error> {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    // For `tests/parity.rs`, which reads what was written.
    println!("cargo::rustc-env=SCHEMA_OUT={out}");
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
    ])?;
    // By themselves, each with what the others do without.
    let folder = |name: &str| PathBuf::from(&out).join(name);
    Config::new()
        .files(["proto/viewed/v1/viewed.proto"])
        .views("viewed.v1")
        .out_dir(folder("viewed"))
        .compile()?;
    Config::new()
        .files(["proto/borrowed/v1/borrowed.proto"])
        .external("shared.v1", "crate::schema::shared::v1")
        .runtime_path("crate::runtime")
        .out_dir(folder("borrowed"))
        .compile()?;
    Config::new()
        .descriptor_set("proto/editions/v1/editions.binpb")
        .out_dir(folder("editions"))
        .compile()
}

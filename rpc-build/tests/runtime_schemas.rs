//! The services that `rpc-runtime` brings along are what this crate makes of their schemas now.
//! `RPC_BUILD_UPDATE=1 cargo test -p rpc-build --test runtime_schemas` writes them anew.

use std::path::Path;
use std::{env, fs};

use rpc_build::Config;

fn schema(file: &str) -> Config {
    Config::new()
        .files([file])
        .includes(["../rpc-runtime/proto"])
        .runtime_path("crate")
}

fn compile(schema: &Config) {
    if let Err(error) = schema.compile() {
        panic!("{error}");
    }
}

#[test]
fn the_health_check_is_generated_from_its_schema() {
    let folder = "../rpc-runtime/src/server/health/schema";
    compile(
        &schema("grpc/health/v1/health.proto")
            .out_dir(folder)
            .verify(),
    );
}

#[test]
fn reflection_is_generated_from_its_schema() {
    let folder = "../rpc-runtime/src/server/reflection/schema";
    compile(
        &schema("grpc/reflection/v1/reflection.proto")
            .out_dir(folder)
            .verify(),
    );
}

/// The older form differs in the name of its package only, so its messages are those of the newer
/// one, and just its descriptors are kept.
#[test]
fn older_reflection_has_the_descriptors_of_its_schema() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    compile(&schema("grpc/reflection/v1alpha/reflection.proto").out_dir(folder.path()));
    let written = folder
        .path()
        .join("grpc.reflection.v1alpha/descriptors.binpb");
    let kept = Path::new("../rpc-runtime/src/server/reflection/v1alpha.binpb");
    if env::var_os("RPC_BUILD_UPDATE").is_some() {
        fs::copy(&written, kept).expect("the folder can be written");
    }
    assert_eq!(fs::read(kept).ok(), fs::read(written).ok());
}

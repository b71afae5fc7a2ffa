//! Compiles the schema that `schema_build.sh` writes.

use std::path::Path;

fn main() -> Result<(), rpc_build::Error> {
    let folder = std::env::var("SCHEMA_FOLDER").expect("schema_build.sh sets the folder");
    let files: Vec<_> = (0..10)
        .map(|at| Path::new(&folder).join(format!("p{at}.proto")))
        .collect();
    rpc_build::Config::new()
        .files(files)
        .includes([folder])
        .compile()
}

//! Compiles the schema that `schema_build.sh` writes.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::var("SCHEMA_FOLDER").expect("schema_build.sh sets the folder");
    let files: Vec<_> = (0..10)
        .map(|at| Path::new(&folder).join(format!("p{at}.proto")))
        .collect();
    tonic_prost_build::configure().compile_protos(&files, &[folder.into()])
}

//! How mistakes look: each `diagnostics/*.proto` has a `.txt` beside it with what is printed. `UPDATE_GOLDEN=1` writes them anew.

use std::path::{Path, PathBuf};

use rpc_build::check::check;
use rpc_build::diagnostic::render;
use rpc_build::load::{Input, load};

#[test]
fn mistakes_look_as_they_were_reviewed() {
    // Cargo runs tests in the folder of the package, and paths are shown as they are given.
    let folder = Path::new("tests/diagnostics");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "proto")
    });
    files.sort();
    assert!(files.len() >= 5);
    let mut different = Vec::new();
    for file in &files {
        let input = Input {
            files: std::slice::from_ref(file),
            includes: &[folder.to_owned()],
            ..Input::default()
        };
        let (mistakes, sources) = match load(&input) {
            Ok(schema) => (check(&schema), schema.sources),
            Err(failure) => (failure.diagnostics, failure.sources),
        };
        let shown = render(&mistakes, &sources, false);
        let golden = file.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &shown).expect("a file");
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != shown {
            different.push(format!("{}:\n{shown}", file.display()));
        }
    }
    assert!(
        different.is_empty(),
        "not as in the `.txt` files:\n{}",
        different.join("\n")
    );
}

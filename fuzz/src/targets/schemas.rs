//! Text that a build reads: `.proto` files and `schema.lock`. What is refused has a place.

use std::path::{Path, PathBuf};

use rpc_build::check::check;
use rpc_build::diagnostic::render;
use rpc_build::load::{Input, load};
use rpc_build::lock::Lock;

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder can be made");
}

/// A `.proto` file.
pub(crate) fn proto(bytes: &[u8]) {
    FOLDER.with(|folder| read(folder.path(), bytes));
}

fn read(folder: &Path, bytes: &[u8]) {
    std::fs::write(folder.join("a.proto"), bytes).expect("a file can be written");
    let input = Input {
        files: &[PathBuf::from("a.proto")],
        includes: &[folder.to_owned()],
        ..Input::default()
    };
    let (mistakes, sources) = match load(&input) {
        Ok(schema) => {
            let mistakes = check(&schema);
            if mistakes.is_empty() {
                // What was released is read as it was written.
                let written = Lock::of(&schema).to_string();
                let again = Lock::parse(&written).expect("a lock that was written can be read");
                assert_eq!(again.to_string(), written);
            }
            (mistakes, schema.sources)
        }
        Err(failure) => {
            assert!(
                !failure.diagnostics.is_empty(),
                "it is refused without a reason"
            );
            (failure.diagnostics, failure.sources)
        }
    };
    for mistake in &mistakes {
        let line = mistake.line(&sources);
        assert!(line.is_some(), "there is no place for: {}", mistake.message);
    }
    let _ = render(&mistakes, &sources, true);
}

/// A `schema.lock`.
pub(crate) fn lock(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Lock::parse(text) {
        Ok(lock) => {
            let written = lock.to_string();
            let again = Lock::parse(&written).expect("a lock that was written can be read");
            assert_eq!(again.to_string(), written);
        }
        Err(mistakes) => assert!(!mistakes.is_empty(), "it is refused without a reason"),
    }
}

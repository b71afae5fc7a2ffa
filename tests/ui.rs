//! Diagnostics of the macros: what a user reads who made a mistake.
//!
//! Each file in `ui/fail` holds one mistake in a service that is also implemented and called, so
//! that a mistake which drags others behind it shows. To accept new texts, run this test with
//! `TRYBUILD=overwrite`, and read the difference.

use std::process::Command;

/// What looks like a mistake and is none. Modules of this test and no cases of trybuild: with a
/// case that passes it would have to build all dependencies once more, instead of checking them.
#[path = "ui/pass"]
mod pass {
    mod implementations_in_other_forms;
    mod inner_docs;
    mod results_by_alias;
    mod types_that_recur;
}

/// The texts are partly rustc's own, and compared only on the version they were taken from.
const BLESSED: &str = "rustc 1.95.";

/// How many cases there are at least: a wrong pattern would otherwise find none and pass.
const AT_LEAST: usize = 150;

fn is_blessed_version() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc has just compiled this test");
    let version = String::from_utf8_lossy(&output.stdout);
    let is_blessed = version.starts_with(BLESSED);
    if !is_blessed {
        eprintln!("SKIPPED: diagnostics are compared on {BLESSED}x only, this is {version}");
    }
    is_blessed
}

#[test]
fn mistakes_are_explained_at_their_place() {
    if !is_blessed_version() {
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}

#[test]
fn every_case_has_its_text() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/fail");
    let names: Vec<String> = std::fs::read_dir(directory)
        .expect("the cases are beside this file")
        .map(|entry| entry.expect("the directory can be read").path())
        .map(|path| path.display().to_string())
        .collect();
    let cases: Vec<&String> = names.iter().filter(|name| name.ends_with(".rs")).collect();
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    for case in cases {
        let text = case.replace(".rs", ".stderr");
        assert!(names.contains(&text), "{case} has no text beside it");
    }
}

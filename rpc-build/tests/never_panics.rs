//! No text makes the reader panic, overflow the stack or hang: files that are cut off at every byte, and files that were changed
//! at random with fixed seeds. What is refused has a place, and can be shown.

use std::path::{Path, PathBuf};

use rpc_build::check::check;
use rpc_build::diagnostic::render;
use rpc_build::load::{Input, load};

/// Reads and shows a text, as the file `a.proto`.
fn read(folder: &Path, bytes: &[u8]) {
    std::fs::write(folder.join("a.proto"), bytes).expect("a file");
    let input = Input {
        files: &[PathBuf::from("a.proto")],
        includes: &[folder.to_owned()],
        ..Input::default()
    };
    let (mistakes, sources) = match load(&input) {
        Ok(schema) => (check(&schema), schema.sources),
        Err(failure) => {
            assert!(!failure.diagnostics.is_empty());
            (failure.diagnostics, failure.sources)
        }
    };
    for mistake in &mistakes {
        let text = String::from_utf8_lossy(bytes);
        assert!(
            mistake.line(&sources).is_some(),
            "no place for `{}` in:\n{text}",
            mistake.message
        );
    }
    assert_eq!(
        render(&mistakes, &sources, true).is_empty(),
        mistakes.is_empty()
    );
}

/// A file with something of everything.
const ALL: &str = include_str!("never_panics.proto");

/// What is put into a text at random: what has a meaning somewhere.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    ";",
    ",",
    "=",
    ".",
    "-",
    "+",
    "\"",
    "'",
    "\\",
    "/*",
    "*/",
    "//",
    "#",
    "\n",
    "\r",
    "\t",
    "\0",
    "0",
    "-1",
    "536870912",
    "99999999999999999999",
    "0x",
    "1e999",
    "1.5f",
    "inf",
    "nan",
    "max",
    "to",
    "ä",
    "\u{feff}",
    "😀",
    "\u{2028}",
    "message",
    "enum",
    "oneof",
    "map<",
    "group",
    "extend",
    "extensions",
    "reserved",
    "option",
    "optional",
    "repeated",
    "required",
    "rpc",
    "stream",
    "returns",
    "service",
    "import",
    "package",
    "syntax",
    "edition = \"2023\";",
    "[default = 1]",
    "[packed = true]",
    "(x).y",
    "A",
    ".x.A",
    "google.protobuf.Any",
    "json_name",
    "option (all) = { ",
    "[x.more]",
    "uninterpreted_option",
    "import \"a.proto\";",
];

#[test]
fn no_end_is_a_surprise() {
    let folder = tempfile::tempdir().expect("a folder");
    read(folder.path(), ALL.as_bytes());
    // Every byte would take a minute: each run takes another part.
    for end in (0..ALL.len()).step_by(7) {
        read(folder.path(), &ALL.as_bytes()[..end]);
    }
}

#[test]
fn no_change_is_a_surprise() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = ALL.as_bytes().to_vec();
        for _ in 0..random.usize(1..6) {
            change(&mut bytes, &mut random);
        }
        read(folder.path(), &bytes);
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    let at = random.usize(..=bytes.len());
    let end = (at + random.usize(..40)).min(bytes.len());
    match random.u8(..6) {
        0 => drop(bytes.drain(at..end)),
        1 => {
            let piece = bytes[at..end].to_vec();
            let target = random.usize(..=bytes.len());
            bytes.splice(target..target, piece);
        }
        2 if at < bytes.len() => bytes[at] = random.u8(..),
        3 => bytes.truncate(at.max(200)),
        _ => {
            let piece = PIECES[random.usize(..PIECES.len())];
            let piece = format!(" {piece} ");
            bytes.splice(at..at, piece.bytes());
        }
    }
}

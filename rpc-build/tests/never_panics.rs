//! No text makes the reader panic, overflow the stack or hang: files that are cut off at every byte, and files that were changed
//! at random with fixed seeds. What is refused has a place, and can be shown; what is taken becomes Rust that can be parsed,
//! and a release that it does not break. Nor does the text of a lock.

use std::path::{Path, PathBuf};

use rpc_build::Config;
use rpc_build::breaking::{Level, Policy, compare};
use rpc_build::check::check;
use rpc_build::diagnostic::render;
use rpc_build::load::{Input, load};
use rpc_build::lock::{FILE_NAME, Lock};
use rpc_build::source::{SourceFile, Sources};

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
    if mistakes.is_empty() {
        compile(folder);
    }
}

/// Compares the file with what was released before, and releases it.
fn compile(folder: &Path) {
    let config = Config::new()
        .files([folder.join("a.proto")])
        .includes([folder])
        .out_dir(folder.join("out"))
        .lock(folder.join(FILE_NAME))
        .compatibility(Policy::new().level(Level::File));
    if let Err(error) = config.compile() {
        assert!(error.to_string().starts_with("error"), "{error}");
    }
    // What has no name in Rust is refused.
    if config.release().is_err() {
        return;
    }
    config.compile().expect("it is what was released");
    for file in ["out/x/package.rs", "out/x/services.rs"] {
        // The package may be another now.
        if let Ok(text) = std::fs::read_to_string(folder.join(file)) {
            let parsed = syn::parse_file(&text);
            assert!(parsed.is_ok(), "{:?} in\n{text}", parsed.err());
        }
    }
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

#[test]
fn no_lock_is_a_surprise() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.proto"), ALL).expect("a file");
    let input = Input {
        files: &[PathBuf::from("a.proto")],
        includes: &[folder.path().to_owned()],
        ..Input::default()
    };
    let schema = load(&input).expect("the file is good");
    // Without the line that tells one that was cut off at once.
    let text = Lock::of(&schema).to_string();
    let whole = text.replace("# Its last line is `# end`.\n", "");
    assert_ne!(whole, text);
    let policy = Policy::new().level(Level::File).check_unstable(true);
    let read = |text: &str| match Lock::parse(text) {
        Ok(lock) => {
            let broken = compare(&lock, &schema, &policy);
            render(&broken, &schema.sources, false);
            lock.to_string();
            true
        }
        Err(mistakes) => {
            let mut sources = Sources::default();
            sources.insert(SourceFile::new(FILE_NAME, None, Some(text.into())));
            assert!(!render(&mistakes, &sources, false).is_empty(), "{text}");
            assert!(mistakes[0].line(&sources).is_some(), "{text}");
            false
        }
    };
    assert!(compare(&Lock::parse(&whole).expect("it is whole"), &schema, &policy).is_empty());
    for (end, _) in whole.char_indices().step_by(13) {
        read(&whole[..end]);
    }
    let (mut taken, seeds) = (0, 200);
    for seed in 0..seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..random.usize(1..4) {
            change(&mut bytes, &mut random);
        }
        taken += u64::from(read(&String::from_utf8_lossy(&bytes)));
    }
    assert!(taken > 9 && taken < seeds - 20, "{taken} of {seeds}");
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

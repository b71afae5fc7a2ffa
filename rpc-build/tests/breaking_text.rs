//! What a user reads: goldens of whole reports. `RPC_BLESS=1 cargo test -p rpc-build --test breaking_text` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::Renderer;
use rpc_build::breaking::{Level, Policy, accept, compare};
use rpc_build::diagnostic::Diagnostic;
use rpc_build::load::{Input, load};
use rpc_build::lock::{FILE_NAME, Lock};
use rpc_build::schema::Schema;
use rpc_build::source::{SourceFile, Sources};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/breaking_text")
}

/// The schema of a folder, with paths as a user would see them.
fn schema(name: &str) -> Schema {
    let include = folder().join(name);
    let mut schema = load(&Input {
        files: &[include.join("users/v1/users.proto")],
        includes: &[include],
        descriptor_sets: &[],
    })
    .expect("the schema compiles");
    let files: Vec<_> = schema.sources.files().cloned().collect();
    for mut file in files {
        file.path = file
            .path
            .is_some()
            .then(|| Path::new("proto").join(&*file.name));
        schema.sources.insert(file);
    }
    schema
}

fn rendered(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let renderer = Renderer::plain();
    diagnostics
        .iter()
        .fold(String::new(), |mut text, diagnostic| {
            writeln!(text, "{}\n", diagnostic.render(sources, &renderer))
                .expect("a String takes all");
            text
        })
}

fn golden(name: &str, text: &str) {
    let path = folder().join(name);
    if std::env::var_os("RPC_BLESS").is_some() {
        std::fs::write(&path, text).expect("the golden can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("a golden; RPC_BLESS=1 writes it");
    assert_eq!(text, expected, "{name}; RPC_BLESS=1 writes it anew");
}

#[test]
fn a_lock() {
    golden("schema.lock", &Lock::of(&schema("old")).to_string());
}

/// What is only moved, or commented, changes no row of a lock but those with the lines.
#[test]
fn order_does_not_matter() {
    let old = Lock::of(&schema("old")).to_string();
    assert_eq!(old, Lock::of(&schema("old")).to_string());
    let moved = Lock::of(&schema("moved")).to_string();
    let without_lines = |lock: &str| {
        let rows = lock.lines().filter(|row| !row.starts_with("  lines "));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_ne!(old, moved);
    assert_eq!(without_lines(&old), without_lines(&moved));
}

#[test]
fn reports_at_each_level() {
    let (lock, new) = (Lock::of(&schema("old")), schema("new"));
    let lock = Lock::parse(&lock.to_string()).expect("it was just written");
    for (name, level) in [
        ("wire", Level::Wire),
        ("wire_json", Level::WireJson),
        ("package", Level::Package),
        ("file", Level::File),
    ] {
        let broken = compare(&lock, &new, &Policy::new().level(level));
        golden(&format!("{name}.txt"), &rendered(&broken, &new.sources));
    }
}

#[test]
fn a_report_without_the_text() {
    let lock = Lock::of(&schema("old"));
    let mut new = schema("new");
    new.sources = Sources::default();
    let broken = compare(&lock, &new, &Policy::new().level(Level::Wire));
    golden("wire_without_text.txt", &rendered(&broken, &new.sources));
}

#[test]
fn exemptions() {
    let (lock, new) = (Lock::of(&schema("old")), schema("new"));
    let policy = Policy::new()
        .level(Level::Wire)
        .allow(
            "FIELD_WIRE_COMPATIBLE_TYPE",
            "users.v1.User.age",
            "no client ever read it",
        )
        .allow(
            "FIELD_WIRE_COMPATIBLE_TYPE",
            "users.v1.User.addresses",
            "always empty",
        )
        .allow(
            "FIELD_WIRE_COMPATIBLE_TYPE",
            "users.v1.User.name",
            "renamed since",
        )
        .allow("FIELD_SAME_TYP", "users.v1.User.age", "a slip of the pen")
        .allow("RPC_SAME_SERVER_STREAMING", "users.v1.Users.List", " ");
    let broken = compare(&lock, &new, &policy);
    assert!(
        !broken
            .iter()
            .any(|broken| broken.rule == "FIELD_WIRE_COMPATIBLE_TYPE"),
        "the exemption counts"
    );
    assert!(
        broken
            .iter()
            .any(|broken| broken.rule == "RPC_SAME_SERVER_STREAMING"),
        "an exemption without a reason does not count"
    );
    let mistakes: Vec<_> = broken
        .into_iter()
        .filter(|broken| broken.rule.is_empty())
        .collect();
    golden("exemptions.txt", &rendered(&mistakes, &new.sources));
}

#[test]
fn accepting_says_what_it_breaks_and_ends_exemptions() {
    let (old, new) = (schema("old"), schema("new"));
    let policy = Policy::new().level(Level::Wire);
    let accepted = accept(Some(&Lock::of(&old)), &new, &policy);
    assert!(!accepted.broken.is_empty());
    assert_eq!(accepted.lock.to_string(), Lock::of(&new).to_string());
    assert!(compare(&accepted.lock, &new, &policy).is_empty());

    let stale = policy.allow(
        "FIELD_WIRE_COMPATIBLE_TYPE",
        "users.v1.User.age",
        "no client ever read it",
    );
    let accepted = accept(Some(&Lock::of(&old)), &new, &stale);
    let allowed: Vec<_> = accepted
        .allowed
        .iter()
        .map(|(_, why)| why.as_str())
        .collect();
    assert_eq!(allowed, ["no client ever read it"]);
    let is_mistake = |it: &Diagnostic| it.rule.is_empty();
    assert!(!accepted.broken.iter().any(is_mistake));
    let left = compare(&accepted.lock, &new, &stale);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        left[0].message.contains("allows nothing"),
        "{}",
        left[0].message
    );

    assert!(
        accept(None, &new, &Policy::new().level(Level::File))
            .broken
            .is_empty(),
        "a first release breaks nothing"
    );
}

/// Locks that cannot be read, one after the other in one file: what they are and what is said of them.
#[test]
fn unreadable_locks() {
    let good = Lock::of(&schema("old")).to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let conflict = changed(
        "  package users.v1\n",
        "<<<<<<< HEAD\n  package users.v1\n=======\n  package users.v2\n>>>>>>> other\n",
    );
    let unreadable = [
        ("empty", String::new()),
        ("not a lock", "hello\n".to_owned()),
        ("newer", changed("version 1", "version 2")),
        ("conflict", conflict),
        ("type", changed("int32 age", "int33 age")),
        ("number", changed("age = 2", "age = 2222222222")),
        (
            "twice",
            changed(
                "    int32 age = 2\n",
                "    int32 age = 2\n    int32 old = 2\n",
            ),
        ),
        ("cut off", good.replace("# end\n", "")),
        (
            "quotes",
            changed("\"users/v1/users.proto\"", "\"users/v1/users.proto"),
        ),
        ("nothing", changed("  service Users", "  servic Users")),
        (
            "two mistakes",
            changed("int32 age = 2", "int32 = 2").replace("rpc List(", "rpc List["),
        ),
    ];
    let mut text = String::new();
    for (name, lock) in unreadable {
        let mistakes = Lock::parse(&lock).expect_err(name);
        let mut sources = Sources::default();
        sources.insert(SourceFile::new(FILE_NAME, None, Some(lock.into())));
        writeln!(text, "== {name}\n{}", rendered(&mistakes, &sources)).expect("a String takes all");
    }
    golden("unreadable_locks.txt", &text);
}

/// No text makes the reader panic, and what it reads it writes again in a way that it can read.
#[test]
fn hostile_locks() {
    let good = Lock::of(&schema("old")).to_string();
    for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
        check(&good[..end]);
    }
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    let pieces = [
        "=",
        " ",
        "\n",
        "\"",
        "[",
        "]",
        "{",
        "<",
        "-1",
        "999999999999",
        "\\",
        "é",
        "to max",
        "message",
        "1-4000000000",
    ];
    for _ in 0..3_000 {
        let mut text = good.clone();
        for _ in 0..=next(3) {
            let at = next(text.len());
            let (at, length) = if text.is_char_boundary(at) {
                (at, next(4))
            } else {
                (0, 0)
            };
            let end = (at + length).min(text.len());
            if text.is_char_boundary(end) {
                text.replace_range(at..end, pieces[next(pieces.len())]);
            }
        }
        check(&text);
    }
}

fn check(text: &str) {
    match Lock::parse(text) {
        Ok(lock) => {
            let written = lock.to_string();
            let again =
                Lock::parse(&written).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{written}"));
            assert_eq!(again.to_string(), written);
        }
        Err(mistakes) => {
            assert_eq!(mistakes.len(), 1);
            for mistake in mistakes {
                let span = mistake.primary.expect("a place").span;
                assert!(text.get(span.bytes).is_some(), "the place is in the text");
            }
        }
    }
}

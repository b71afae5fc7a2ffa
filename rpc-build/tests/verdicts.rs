//! Small `.proto` files with the verdicts of `protoc` and `buf` (`verdicts/oracle.py` makes the table): ours is the same, and
//! points at the same line or the next one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rpc_build::check::check;
use rpc_build::load::{Input, load};

/// Where we differ from `protoc` on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("proto3/edition_2023", "editions come as descriptor sets"),
    (
        "defaults/string_not_utf8",
        "a name or a text of a descriptor is UTF-8 here",
    ),
    (
        "json/not_utf8",
        "a name or a text of a descriptor is UTF-8 here",
    ),
    (
        "maps/message_named_map",
        "`map` begins a map, and a message of this name needs its package in front",
    ),
    (
        "reserved/range_too_large",
        "buf refuses it too, and it can only be a mistake",
    ),
    (
        "reserved/name_not_identifier",
        "buf refuses it too, and protoc warns",
    ),
    (
        "reserved/name_empty",
        "buf refuses it too, and protoc warns",
    ),
    (
        "enums/alias_false",
        "protoc points behind the enum, we at the option",
    ),
];

/// A mistake: its file and line.
type Place = (String, usize);

struct Case {
    name: String,
    files: Vec<(String, String)>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts");
    let entries = std::fs::read_dir(folder).expect("the archives are there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().flat_map(|path| archive(path)).collect()
}

/// Splits at lines that begin with `mark`; what follows the mark is a name, what follows that line a text.
fn split<'a>(text: &'a str, mark: &str) -> (&'a str, Vec<(&'a str, &'a str)>) {
    let starts: Vec<_> = text
        .match_indices(mark)
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().zip(ends).map(|(&start, end)| {
        let part = &text[start + mark.len()..end];
        part.split_once('\n').unwrap_or((part, ""))
    });
    (
        &text[..starts.first().copied().unwrap_or(text.len())],
        parts.collect(),
    )
}

fn archive(path: &Path) -> Vec<Case> {
    let subject = path.file_stem().expect("a name").to_string_lossy();
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let (_, cases) = split(&text, "== ");
    let case = |(name, body): &(&str, &str)| {
        let (main, others) = split(body, "-- ");
        let others = others
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Case {
            name: format!("{subject}/{name}"),
            files: std::iter::once((format!("{name}.proto"), main.to_owned()))
                .chain(others)
                .collect(),
        }
    };
    cases.iter().map(case).collect()
}

/// The places of a verdict; empty for `ok`.
fn places(verdict: &str) -> Vec<Place> {
    let place = |word: &str| match word.rsplit_once(':') {
        Some((file, line)) => (file.to_owned(), line.parse().expect("a line")),
        None => (String::new(), 0),
    };
    match verdict {
        "ok" => Vec::new(),
        _ => verdict.split(' ').map(place).collect(),
    }
}

fn table() -> BTreeMap<String, [Vec<Place>; 2]> {
    let rows = include_str!("verdicts/verdicts.tsv").lines().skip(1);
    rows.map(|row| {
        let mut columns = row.split('\t');
        let mut next = || columns.next().expect("three columns");
        (next().to_owned(), [places(next()), places(next())])
    })
    .collect()
}

/// The places of our mistakes, and what we say.
fn ours(case: &Case) -> Vec<(Place, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in &case.files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let input = Input {
        files: &[PathBuf::from(&case.files[0].0)],
        includes: &[folder.path().to_owned()],
        ..Input::default()
    };
    let (mistakes, sources) = match load(&input) {
        Ok(schema) => (check(&schema), schema.sources),
        Err(failure) => (failure.diagnostics, failure.sources),
    };
    let place = |mistake: &rpc_build::diagnostic::Diagnostic| {
        let (file, line) = mistake.line(&sources).unwrap_or(("", 0));
        ((file.to_owned(), line), mistake.message.clone())
    };
    mistakes.iter().map(place).collect()
}

fn is_near(one: &Place, other: &Place) -> bool {
    // Line 0: the tool names no line, or no file.
    let is_same_file = one.0 == other.0 || other.0.is_empty();
    is_same_file && (other.1 == 0 || one.1.abs_diff(other.1) <= 1)
}

/// What is wrong with our verdict, if anything.
fn judge(ours: &[(Place, String)], [protoc, buf]: &[Vec<Place>; 2]) -> Option<&'static str> {
    if ours.is_empty() != protoc.is_empty() {
        return Some(if ours.is_empty() {
            "accepted"
        } else {
            "refused"
        });
    }
    let first = protoc.first()?;
    if !ours
        .iter()
        .any(|(place, _)| is_near(place, first) || buf.iter().any(|other| is_near(place, other)))
    {
        return Some("points elsewhere");
    }
    let is_known = |place: &Place| protoc.iter().chain(buf).any(|other| is_near(place, other));
    if !ours.iter().all(|(place, _)| is_known(place)) {
        return Some("points elsewhere too");
    }
    None
}

#[test]
fn verdicts_are_those_of_protoc() {
    let table = table();
    let cases = cases();
    assert!(cases.len() > 500, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let ours = ours(case);
        let theirs = table
            .get(&case.name)
            .expect("`bash tests/schemas.sh --write` was run");
        let reason = DIFFERENT.iter().find(|(name, _)| *name == case.name);
        match (judge(&ours, theirs), reason) {
            (Some(what), None) => wrong.push(format!(
                "{}: {what}\n  protoc {:?}\n  buf    {:?}\n  ours   {ours:?}",
                case.name, theirs[0], theirs[1]
            )),
            (None, Some(_)) => wrong.push(format!("{}: does not differ any more", case.name)),
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

//! The pairs of `tests/breaking/cases` and buf's verdicts on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use buffa::Message;
use buffa_descriptor::generated::descriptor::FileDescriptorSet;
use rpc_build::breaking::Level;
use rpc_build::diagnostic::Diagnostic;
use rpc_build::schema::Schema;
use rpc_build::source::{SourceFile, Sources};

/// The levels of the tables, what they are here, and whether unstable packages are looked at.
pub(crate) const LEVELS: [(&str, Level, bool); 5] = [
    ("WIRE", Level::Wire, true),
    ("WIRE_JSON", Level::WireJson, true),
    ("PACKAGE", Level::Package, true),
    ("FILE", Level::File, true),
    ("STABLE", Level::File, false),
];

type Files = BTreeMap<String, String>;

/// An old and a new schema.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verdict: Vec<Finding>,
    old: Files,
    new: Files,
}

/// A broken rule and where the new schema breaks it.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) level: String,
    pub(crate) rule: String,
    file: Option<String>,
    line: Option<usize>,
}

impl Finding {
    /// The same rule in the same file, and within so many lines of the place. Where buf has none, ours does not matter.
    pub(crate) fn is_met_by(&self, ours: &Self, distance: usize) -> bool {
        let near = |line: usize| {
            ours.line
                .is_some_and(|ours| ours.abs_diff(line) <= distance)
        };
        self.rule == ours.rule
            && (self.file.is_none() || self.file == ours.file)
            && self.line.is_none_or(near)
    }

    /// How much of its place is not known.
    pub(crate) fn vagueness(&self) -> usize {
        usize::from(self.file.is_none()) + usize::from(self.line.is_none())
    }

    pub(crate) fn place(&self) -> String {
        format!("{:?}:{:?}", self.file, self.line)
    }
}

impl Case {
    pub(crate) fn old_schema(&self) -> Schema {
        load(&self.old, &format!("{}.old", self.name))
    }

    pub(crate) fn new_schema(&self) -> Schema {
        load(&self.new, &format!("{}.new", self.name))
    }
}

/// The corpus, or another one made by `mutate.py`.
fn folder() -> PathBuf {
    match std::env::var_os("BREAKING_CORPUS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/breaking"),
    }
}

/// All pairs, in the order of their names.
pub(crate) fn cases() -> Vec<Case> {
    let archives = std::fs::read_dir(folder().join("cases")).expect("the cases are there");
    let mut archives: Vec<_> = archives
        .map(|entry| entry.expect("a file").path())
        .collect();
    archives.sort();
    archives.iter().flat_map(|archive| read(archive)).collect()
}

fn read(archive: &Path) -> Vec<Case> {
    let stem = archive
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let text = std::fs::read_to_string(archive).expect("a text");
    let mut cases: Vec<Case> = Vec::new();
    let mut into: (bool, bool, String) = Default::default();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case {
                name: format!("{stem}.{name}"),
                verdict: Vec::new(),
                old: Files::new(),
                new: Files::new(),
            });
        } else if let Some(head) = line.strip_prefix("--- ") {
            let (side, file) = head.split_once(' ').expect("a side and a file");
            into = (side != "new", side != "old", file.to_owned());
        } else {
            let case = cases.last_mut().expect("a case begins before its files");
            for (is_wanted, side) in [(into.0, &mut case.old), (into.1, &mut case.new)] {
                if is_wanted {
                    let file = side.entry(into.2.clone()).or_default();
                    *file += line;
                    file.push('\n');
                }
            }
        }
    }
    add_verdicts(&mut cases, &stem);
    cases
}

fn add_verdicts(cases: &mut [Case], stem: &str) {
    let table = folder().join("verdicts").join(format!("{stem}.txt"));
    let table = std::fs::read_to_string(&table).expect("oracle.py was run for this archive");
    let mut at = None;
    for line in table.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            let name = format!("{stem}.{name}");
            at = cases.iter().position(|case| case.name == name);
            continue;
        }
        let words: Vec<_> = line.split(' ').collect();
        let place = words
            .get(2)
            .map(|place| place.split_once(':').unwrap_or((place, "")));
        let case = at
            .and_then(|at| cases.get_mut(at))
            .expect("the table has the cases of the archive");
        case.verdict.push(Finding {
            level: words[0].to_owned(),
            rule: words[1].to_owned(),
            file: place.map(|(file, _)| file.to_owned()),
            line: place.and_then(|(_, line)| line.parse().ok()),
        });
    }
}

/// The findings behind diagnostics, by where they point.
pub(crate) fn findings(diagnostics: &[Diagnostic], schema: &Schema) -> Vec<Finding> {
    let place = |diagnostic: &Diagnostic| {
        let span = &diagnostic.primary.as_ref()?.span;
        let (line, _) = schema
            .sources
            .file(&span.file)?
            .line_and_column(span.bytes.start)?;
        Some((span.file.to_string(), line))
    };
    let finding = |diagnostic: &Diagnostic| {
        let place = place(diagnostic);
        Finding {
            level: String::new(),
            rule: diagnostic.rule.to_owned(),
            file: place.clone().map(|(file, _)| file),
            line: place.map(|(_, line)| line),
        }
    };
    diagnostics.iter().map(finding).collect()
}

/// A schema from text; one in an edition from the descriptors that buf made of it.
fn load(files: &Files, name: &str) -> Schema {
    if !files.values().any(|text| text.contains("edition = ")) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut paths = Vec::new();
        for (file, text) in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
            paths.push(path);
        }
        let input = rpc_build::load::Input {
            files: &paths,
            includes: &[dir.path().to_owned()],
            descriptor_sets: &[],
        };
        return rpc_build::load::load(&input)
            .unwrap_or_else(|failure| panic!("{name}: {:?}", failure.diagnostics));
    }
    let image = folder().join("editions").join(format!("{name}.binpb"));
    let image = std::fs::read(&image).expect("oracle.py was run for this archive");
    let descriptors = FileDescriptorSet::decode_from_slice(&image).expect("a descriptor set");
    let mut sources = Sources::default();
    for (file, text) in files {
        sources.insert(SourceFile::new(file, None, Some(text.as_str().into())));
    }
    Schema {
        descriptors,
        requested: files.keys().cloned().collect(),
        sources,
    }
}

//! All names of a schema and how `protoc` finds them (`DescriptorBuilder::LookupSymbol` in its `descriptor.cc`).

use std::cell::{Cell, OnceCell};
use std::collections::{HashMap, HashSet};

use buffa_descriptor::generated::descriptor::FileDescriptorProto;

use crate::diagnostic::Diagnostic;
use crate::elements::{Elements, below, join, last, numbered, scope};
use crate::schema::Locations;
use crate::source::{Sources, Span};
use crate::tag;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Package,
    Message,
    Enum,
    Value,
    Field,
    Oneof,
    Extension,
    Service,
    Method,
}

impl Kind {
    pub(super) fn is_type(self) -> bool {
        matches!(self, Self::Message | Self::Enum)
    }

    fn is_scope(self) -> bool {
        matches!(
            self,
            Self::Package | Self::Message | Self::Enum | Self::Service
        )
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Package => "a package",
            Self::Message => "a message",
            Self::Enum => "an enum",
            Self::Value => "a value of an enum",
            Self::Field => "a field",
            Self::Oneof => "a `oneof`",
            Self::Extension => "an extension",
            Self::Service => "a service",
            Self::Method => "a method",
        }
    }
}

struct Symbol {
    file: usize,
    kind: Kind,
    span: Option<Span>,
}

/// A name that was looked up.
pub(super) enum Lookup {
    Found(String, Kind),
    /// Declared in a file that is not imported.
    NotImported {
        name: String,
        file: String,
    },
    /// The first part was found in an inner scope, and the rest is not in there.
    Shadowed(String),
    Unknown,
}

/// The names of all files so far.
#[derive(Default)]
pub(super) struct Symbols {
    symbols: HashMap<String, Symbol>,
    packages: HashMap<String, HashSet<usize>>,
    files: HashMap<String, usize>,
    names: Vec<String>,
    /// What a file passes on to those that import it: itself and its public imports.
    passed_on: Vec<HashSet<usize>>,
}

/// What one file can see.
pub(super) struct View<'a> {
    symbols: &'a Symbols,
    files: HashSet<usize>,
    /// What can be seen, by the number of letters of the last part of its name.
    by_length: OnceCell<HashMap<usize, Vec<Candidate<'a>>>>,
    suggested: Cell<usize>,
}

/// A name that may have been meant by another.
struct Candidate<'a> {
    kind: Kind,
    /// The last part in lower case.
    short: String,
    name: &'a str,
}

/// For so many mistakes of one file it is found out what was meant: it takes time, and nobody reads more.
const MAX_SUGGESTED: usize = 20;

impl Symbols {
    /// Adds the names of a file. Each name that is taken already is a mistake.
    pub(super) fn declare(
        &mut self,
        file: &FileDescriptorProto,
        sources: &Sources,
    ) -> Vec<Diagnostic> {
        let index = self.names.len();
        let name = file.name.clone().unwrap_or_default();
        let dependency = |at: &i32| file.dependency.get(usize::try_from(*at).ok()?);
        let public = file.public_dependency.iter().filter_map(dependency);
        let public = public.filter_map(|name| self.files.get(name));
        let mut passed_on: HashSet<_> = public
            .flat_map(|&file| &self.passed_on[file])
            .copied()
            .collect();
        passed_on.insert(index);
        self.passed_on.push(passed_on);
        self.files.insert(name.clone(), index);
        self.names.push(name);

        let mut declaration = Declaration {
            locations: Locations::new(file, sources),
            file: index,
            symbols: self,
            mistakes: Vec::new(),
        };
        declaration.package(file.package.as_deref().unwrap_or_default());
        declaration.elements(&Elements::of(file));
        declaration.mistakes
    }

    /// What a file sees with these imports.
    pub(super) fn view(&self, file: &FileDescriptorProto) -> View<'_> {
        let imports = file
            .dependency
            .iter()
            .filter_map(|name| self.files.get(name));
        let mut files: HashSet<_> = imports
            .flat_map(|&file| &self.passed_on[file])
            .copied()
            .collect();
        files.extend(file.name.as_ref().and_then(|name| self.files.get(name)));
        View {
            symbols: self,
            files,
            by_length: OnceCell::new(),
            suggested: Cell::new(0),
        }
    }
}

struct Declaration<'a> {
    symbols: &'a mut Symbols,
    file: usize,
    locations: Locations,
    mistakes: Vec<Diagnostic>,
}

impl Declaration<'_> {
    fn package(&mut self, package: &str) {
        let ends = package.match_indices('.').map(|(at, _)| at);
        for end in ends.chain((!package.is_empty()).then_some(package.len())) {
            let name = &package[..end];
            if let Some(taken) = self.symbols.symbols.get(name) {
                let other = &self.symbols.names[taken.file];
                let mistake = Diagnostic::error(format!(
                    "package `{name}` has the name of {} in `{other}`",
                    taken.kind.words()
                ))
                .at(self.locations.span(&[tag::file::PACKAGE]), "")
                .and_at(taken.span.clone(), "declared here")
                .help("rename one of the two");
                self.mistakes.push(mistake);
            }
            self.symbols
                .packages
                .entry(name.to_owned())
                .or_default()
                .insert(self.file);
        }
    }

    fn elements(&mut self, elements: &Elements<'_>) {
        for message in &elements.messages {
            self.add(message.name.clone(), Kind::Message, &message.path);
            for (index, field) in numbered(&message.item.field) {
                let name = join(&message.name, field.name.as_deref());
                self.add(
                    name,
                    Kind::Field,
                    &below(&message.path, &[tag::message::FIELD, index]),
                );
            }
            for (index, oneof) in numbered(&message.item.oneof_decl) {
                let name = join(&message.name, oneof.name.as_deref());
                self.add(
                    name,
                    Kind::Oneof,
                    &below(&message.path, &[tag::message::ONEOF, index]),
                );
            }
        }
        for declared in &elements.enums {
            self.add(declared.name.clone(), Kind::Enum, &declared.path);
            for (index, value) in numbered(&declared.item.value) {
                // Values are siblings of their enum, as in C++.
                let name = join(scope(&declared.name), value.name.as_deref());
                self.add(
                    name,
                    Kind::Value,
                    &below(&declared.path, &[tag::enumeration::VALUE, index]),
                );
            }
        }
        for extension in &elements.extensions {
            self.add(extension.name.clone(), Kind::Extension, &extension.path);
        }
        for service in &elements.services {
            self.add(service.name.clone(), Kind::Service, &service.path);
            for (index, method) in numbered(&service.item.method) {
                let name = join(&service.name, method.name.as_deref());
                self.add(
                    name,
                    Kind::Method,
                    &below(&service.path, &[tag::service::METHOD, index]),
                );
            }
        }
    }

    fn add(&mut self, name: String, kind: Kind, path: &[i32]) {
        let span = self.locations.span(&below(path, &[tag::NAME]));
        if let Some(files) = self.symbols.packages.get(&name) {
            let other = files
                .iter()
                .next()
                .map_or("", |&file| &self.symbols.names[file]);
            let mistake =
                Diagnostic::error(format!("`{name}` is the name of a package, in `{other}`"))
                    .at(span.clone(), "")
                    .help("rename one of the two");
            self.mistakes.push(mistake);
        } else if let Some(taken) = self.symbols.symbols.get(&name) {
            self.mistakes.push(duplicate(
                &name,
                kind,
                span,
                taken,
                self.file,
                &self.symbols.names,
            ));
            return;
        }
        let file = self.file;
        self.symbols
            .symbols
            .insert(name, Symbol { file, kind, span });
    }
}

fn duplicate(
    name: &str,
    kind: Kind,
    span: Option<Span>,
    taken: &Symbol,
    file: usize,
    names: &[String],
) -> Diagnostic {
    let is_same_file = taken.file == file;
    let short = last(name);
    let mut message = match scope(name) {
        "" => format!("`{short}` is declared twice"),
        scope => format!("`{short}` is declared twice in `{scope}`"),
    };
    if taken.kind != kind {
        message += &format!(", first as {}", taken.kind.words());
    }
    let mut mistake = Diagnostic::error(message)
        .at(span, "")
        .and_at(taken.span.clone(), "first declared here");
    if !is_same_file {
        mistake = mistake.note(format!(
            "`{name}` is declared in `{}` already",
            names[taken.file]
        ));
    }
    if kind == Kind::Value {
        mistake = mistake
            .note("values of an enum are siblings of the enum, not children: no other enum beside it may have the same")
            .help(format!("put the name of the enum in front, as in `MY_ENUM_{short}`"));
    }
    mistake
}

impl<'a> View<'a> {
    /// The files that can be seen, without `own`.
    pub(super) fn files(&self, own: &str) -> Vec<String> {
        let names = self
            .files
            .iter()
            .map(|&file| self.symbols.names[file].clone());
        let mut names: Vec<_> = names.filter(|name| name != own).collect();
        names.sort_unstable();
        names
    }

    /// Finds what `name` means to the element `from` (a full name): in its scope first, then in those around that.
    pub(super) fn find(&self, name: &str, from: &str, types_only: bool) -> Lookup {
        if let Some(name) = name.strip_prefix('.') {
            return self
                .exact(name)
                .unwrap_or_else(|hidden| hidden.unwrap_or(Lookup::Unknown));
        }
        let first = name.split('.').next().unwrap_or(name);
        let mut hidden = None;
        let mut around = from;
        while !around.is_empty() {
            around = scope(around);
            match self.exact(&join(around, Some(first))) {
                Ok(Lookup::Found(_, kind)) if first.len() < name.len() => {
                    if kind.is_scope() {
                        let full = join(around, Some(name));
                        return self
                            .exact(&full)
                            .unwrap_or_else(|hidden| hidden.unwrap_or(Lookup::Shadowed(full)));
                    }
                }
                Ok(Lookup::Found(_, kind))
                    if types_only && !kind.is_type() && !around.is_empty() => {}
                Ok(found) => return found,
                Err(other) => hidden = hidden.or(other),
            }
        }
        // A compound name whose first part is in no scope may still be declared elsewhere.
        let whole = self.exact(name);
        let whole = whole.err().flatten();
        hidden.or(whole).unwrap_or(Lookup::Unknown)
    }

    /// What has exactly this name; or what has it and is not imported.
    fn exact(&self, name: &str) -> Result<Lookup, Option<Lookup>> {
        if let Some(symbol) = self.symbols.symbols.get(name) {
            return match self.files.contains(&symbol.file) {
                true => Ok(Lookup::Found(name.to_owned(), symbol.kind)),
                false => Err(Some(Lookup::NotImported {
                    name: name.to_owned(),
                    file: self.symbols.names[symbol.file].clone(),
                })),
            };
        }
        let package = self.symbols.packages.get(name).ok_or(None)?;
        let is_visible = package.iter().any(|file| self.files.contains(file));
        is_visible
            .then(|| Lookup::Found(name.to_owned(), Kind::Package))
            .ok_or(None)
    }

    /// A name that was perhaps meant: one that differs in case or in a third of its letters.
    pub(super) fn similar(&self, name: &str, is_fit: impl Fn(Kind) -> bool) -> Option<String> {
        self.suggested.set(self.suggested.get() + 1);
        if self.suggested.get() > MAX_SUGGESTED {
            return None;
        }
        let wanted = last(name).to_lowercase();
        let most = wanted.len().div_ceil(3);
        let length = wanted.chars().count();
        let by_length = self.by_length.get_or_init(|| self.candidates());
        // Each letter more or less is one that was added or removed.
        let lengths = length.saturating_sub(most)..=length + most;
        let candidates = lengths.filter_map(|length| by_length.get(&length));
        candidates
            .flatten()
            .filter(|candidate| is_fit(candidate.kind))
            .map(|candidate| (distance(&wanted, &candidate.short), candidate.name))
            .filter(|(distance, _)| *distance <= most)
            .min()
            .map(|(_, name)| name.to_owned())
    }

    fn candidates(&self) -> HashMap<usize, Vec<Candidate<'a>>> {
        let mut by_length: HashMap<usize, Vec<Candidate<'a>>> = HashMap::new();
        for (name, symbol) in &self.symbols.symbols {
            if !self.files.contains(&symbol.file) {
                continue;
            }
            let short = last(name).to_lowercase();
            let candidates = by_length.entry(short.chars().count()).or_default();
            candidates.push(Candidate {
                kind: symbol.kind,
                short,
                name,
            });
        }
        by_length
    }
}

/// How many letters must be changed, added or removed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, left) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (index, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("user", "user"), 0);
        assert_eq!(distance("usr", "user"), 1);
        assert_eq!(distance("resu", "user"), 4);
        assert_eq!(distance("", "user"), 4);
    }
}

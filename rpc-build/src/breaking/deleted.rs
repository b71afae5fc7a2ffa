//! Elements that are gone: from their file, and from their package.

use super::index::In;
use super::report::Break;
use super::{Pair, next_version};
use crate::lock::{At, Enum, Field, File, Message, Service};

/// An element that can be gone from a file.
#[derive(Clone, Copy)]
struct Element<'a> {
    kind: &'static str,
    /// Without the package.
    name: &'a str,
    at: &'a At,
    file: &'a File,
}

/// The rules for one kind of element.
struct Rules {
    file: &'static str,
    package: &'static str,
}

impl Element<'_> {
    fn rules(&self) -> Rules {
        let (file, package) = match self.kind {
            "message" => ("MESSAGE_NO_DELETE", "PACKAGE_MESSAGE_NO_DELETE"),
            "enum" => ("ENUM_NO_DELETE", "PACKAGE_ENUM_NO_DELETE"),
            "service" => ("SERVICE_NO_DELETE", "PACKAGE_SERVICE_NO_DELETE"),
            _ => ("EXTENSION_NO_DELETE", "PACKAGE_EXTENSION_NO_DELETE"),
        };
        Rules { file, package }
    }

    fn has_kind(&self, file: &File) -> bool {
        match self.kind {
            "message" => !file.messages.is_empty(),
            "enum" => !file.enums.is_empty(),
            "service" => true,
            _ => !file.extensions.is_empty(),
        }
    }

    /// Whether it is in this file, by the name that it has within its package.
    fn is_in(&self, file: &File) -> bool {
        match self.kind {
            "message" => file.messages.iter().any(|other| other.name == self.name),
            "enum" => file.enums.iter().any(|other| other.name == self.name),
            "service" => file.services.iter().any(|other| other.name == self.name),
            _ => file.extensions.iter().any(|other| other.name == self.name),
        }
    }
}

fn elements(file: &File) -> Vec<Element<'_>> {
    let mut elements: Vec<(&'static str, &String, &At)> = Vec::new();
    elements.extend(
        file.messages
            .iter()
            .map(|Message { name, at, .. }| ("message", name, at)),
    );
    elements.extend(
        file.enums
            .iter()
            .map(|Enum { name, at, .. }| ("enum", name, at)),
    );
    elements.extend(
        file.services
            .iter()
            .map(|Service { name, at, .. }| ("service", name, at)),
    );
    elements.extend(
        file.extensions
            .iter()
            .map(|Field { name, at, .. }| ("extension", name, at)),
    );
    elements
        .into_iter()
        .map(|(kind, name, at)| Element {
            kind,
            name,
            at,
            file,
        })
        .collect()
}

pub(super) fn check(pair: &mut Pair<'_>) {
    for (file_name, old) in &pair.old.files {
        let file = pair.new.files.get(file_name).copied();
        let package = pair.new.packages.get(old.package.as_str());
        for element in elements(old) {
            let rules = element.rules();
            if let Some(file) = file.filter(|file| !element.is_in(file)) {
                let around = around(&[file], element);
                add(pair, rules.file, element, Some((file, around)), "its file");
            }
            let Some(package) = package else {
                continue; // A package that is gone as a whole is told of once, by another rule.
            };
            // buf does not look into a package that has nothing of the kind left, unless it is services.
            let has_kind = package.iter().any(|file| element.has_kind(file));
            if has_kind && !package.iter().any(|file| element.is_in(file)) {
                let place = file.map(|file| match element.kind {
                    "message" => (file, around(package, element)),
                    "service" => (file, None),
                    _ => (file, around(&[file], element)),
                });
                add(pair, rules.package, element, place, "its package");
            }
        }
    }
}

fn add<'a>(
    pair: &mut Pair<'a>,
    rule: &'static str,
    element: Element<'a>,
    place: Option<(&'a File, Option<In<'a, Message>>)>,
    from: &str,
) {
    let Element {
        kind,
        name,
        at,
        file: old,
    } = element;
    let full_name = old.full_name(name);
    let next = next_version(&old.package);
    let mut files = pair.new.files.values();
    let elsewhere = files.find(|file| file.package == old.package && element.is_in(file));
    let help = match elsewhere {
        Some(file) => format!(
            "it is in `{}` now: move it back, as whoever imports `{}` does not find it",
            file.name, old.name
        ),
        None => format!("keep it, marked `option deprecated = true;`, and leave it out of {next}"),
    };
    let label = format!("had {kind} `{name}`");
    let mut found = Break::new(
        rule,
        &full_name,
        format!("{kind} `{full_name}` was deleted from {from}"),
    )
    .was(old, at.line, format!("{kind} {name}"))
    .help(help);
    found = match place {
        Some((_, Some(around))) => found.at(around, &around.it.at, &[], label),
        Some((file, None)) => found.at_file(file, &[], label),
        None => found,
    };
    pair.add(found);
}

/// The innermost message around a place that is still there.
fn around<'a>(files: &[&'a File], element: Element<'_>) -> Option<In<'a, Message>> {
    let mut name = element.name;
    while let Some((outer, _)) = name.rsplit_once('.') {
        for file in files {
            if let Some(it) = file.messages.iter().find(|message| message.name == outer) {
                return Some(In { file, it });
            }
        }
        name = outer;
    }
    None
}

//! Elements that are gone: from their file, and from their package.

use super::index::{In, Index};
use super::report::Break;
use super::{Pair, next_version};
use crate::lock::{At, File, Message};

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

    /// The file that has an element of this kind and full name now.
    fn find<'b>(&self, new: &Index<'b>, full_name: &str) -> Option<&'b File> {
        match self.kind {
            "message" => new.messages.get(full_name).map(|found| found.file),
            "enum" => new.enums.get(full_name).map(|found| found.file),
            "service" => new.services.get(full_name).map(|found| found.file),
            _ => new.extensions.get(full_name).map(|found| found.file),
        }
    }

    /// Whether it is still in a file, whatever package that has by now.
    fn is_in(&self, new: &Index<'_>, file: &File) -> bool {
        let found = self.find(new, &file.full_name(self.name));
        found.is_some_and(|found| found.name == file.name)
    }

    /// The file of its package that has it now.
    fn in_package<'b>(&self, new: &Index<'b>) -> Option<&'b File> {
        let found = self.find(new, &self.file.full_name(self.name));
        found.filter(|found| found.package == self.file.package)
    }
}

fn elements(file: &File) -> impl Iterator<Item = Element<'_>> {
    let element = move |kind, name, at| Element {
        kind,
        name,
        at,
        file,
    };
    let messages = file.messages.iter();
    let enums = file.enums.iter();
    let services = file.services.iter();
    let extensions = file.extensions.iter();
    messages
        .map(move |it| element("message", it.name.as_str(), &it.at))
        .chain(enums.map(move |it| element("enum", &it.name, &it.at)))
        .chain(services.map(move |it| element("service", &it.name, &it.at)))
        .chain(extensions.map(move |it| element("extension", &it.name, &it.at)))
}

pub(super) fn check(pair: &mut Pair<'_>) {
    for (file_name, old) in &pair.old.files {
        let file = pair.new.files.get(file_name).copied();
        let package = pair.new.packages.get(old.package.as_str());
        for element in elements(old) {
            let rules = element.rules();
            if let Some(file) = file.filter(|file| !element.is_in(pair.new, file)) {
                let around = around(&[file], element);
                add(pair, rules.file, element, Some((file, around)), "its file");
            }
            let Some(package) = package else {
                continue; // A package that is gone as a whole is told of once, by another rule.
            };
            // buf does not look into a package that has nothing of the kind left, unless it is services.
            let has_kind = package.iter().any(|file| element.has_kind(file));
            if has_kind && element.in_package(pair.new).is_none() {
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
    let elsewhere = element.in_package(pair.new);
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

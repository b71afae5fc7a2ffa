//! Imports that nothing needs, of which `protoc` warns too.

use std::collections::{HashMap, HashSet};

use buffa_descriptor::generated::descriptor::FileDescriptorProto;

use crate::diagnostic::Diagnostic;
use crate::elements::{Elements, numbered};
use crate::emit::options::Options;
use crate::schema::{Files, Locations, Schema};
use crate::tag;

/// Finds the imports of which a file that was asked for uses nothing. One that declares extensions counts as used: options
/// may be made of them, and are not looked at.
pub(crate) fn unused(schema: &Schema) -> Vec<Diagnostic> {
    let all = Files::of(schema);
    let files = schema.descriptors.file.iter();
    let files: HashMap<&str, File<'_>> = files
        .map(|file| (file.name.as_deref().unwrap_or_default(), File::new(file)))
        .collect();
    let mut found = Vec::new();
    for file in files.values() {
        // What is public is there for others.
        let imports = numbered(&file.descriptor.dependency)
            .filter(|(index, _)| !file.descriptor.public_dependency.contains(index));
        if !all.is_requested(file.descriptor) {
            continue;
        }
        let locations = Locations::new(file.descriptor, &schema.sources);
        for (index, import) in imports {
            let mut brought = HashSet::new();
            bring(import, &files, &mut brought);
            if !brought.iter().any(|other| file.uses(&files[other])) {
                let mistake = Diagnostic::error(format!("the import `{import}` is not used"))
                    .at(locations.span(&[tag::file::DEPENDENCY, index]), "");
                found.push(mistake);
            }
        }
    }
    found.sort_by(|a, b| a.position().cmp(&b.position()));
    found
}

/// What a file declares, and what it names.
struct File<'a> {
    descriptor: &'a FileDescriptorProto,
    types: HashSet<String>,
    has_extensions: bool,
    named: HashSet<&'a str>,
    /// As they are written: their scope does not matter for a warning.
    errors: Vec<String>,
}

impl<'a> File<'a> {
    fn new(descriptor: &'a FileDescriptorProto) -> Self {
        let elements = Elements::of(descriptor);
        let messages = elements.messages.iter().map(|it| it.name.clone());
        let types = messages.chain(elements.enums.iter().map(|it| it.name.clone()));
        let fields = elements.messages.iter().flat_map(|it| &it.item.field);
        let fields = fields.chain(elements.extensions.iter().map(|it| it.item));
        let methods = || elements.services.iter().flat_map(|it| &it.item.method);
        let named = fields.flat_map(|it| [it.type_name.as_deref(), it.extendee.as_deref()]);
        let named = named
            .chain(methods().flat_map(|it| [it.input_type.as_deref(), it.output_type.as_deref()]));
        Self {
            descriptor,
            types: types.collect(),
            has_extensions: !elements.extensions.is_empty(),
            named: named
                .flatten()
                .map(|it| it.trim_start_matches('.'))
                .collect(),
            errors: methods().filter_map(|it| Options::of(it).error).collect(),
        }
    }

    fn uses(&self, other: &Self) -> bool {
        let is_error = |name: &String| self.errors.iter().any(|error| name.ends_with(error));
        other.has_extensions
            || self.named.iter().any(|name| other.types.contains(*name))
            || other.types.iter().any(is_error)
    }
}

/// An import, and what it imports for others.
fn bring<'a>(name: &'a str, files: &HashMap<&'a str, File<'a>>, brought: &mut HashSet<&'a str>) {
    let Some(file) = files.get(name).filter(|_| brought.insert(name)) else {
        return;
    };
    for at in &file.descriptor.public_dependency {
        let import = usize::try_from(*at).ok();
        let import = import.and_then(|at| file.descriptor.dependency.get(at));
        if let Some(import) = import {
            bring(import, files, brought);
        }
    }
}

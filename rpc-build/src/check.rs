//! What `protoc` refuses and the parser lets through. The rules are those of `descriptor.cc` and `parser.cc` of protobuf 35; each
//! is held to `protoc`'s verdict by `tests/verdicts`.

mod declarations;
mod defaults;
mod enums;
mod extensions;
mod fields;
mod imports;
mod json;
mod maps;
mod options;
mod package;
mod ranges;

use std::collections::{HashMap, HashSet};

use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use crate::diagnostic::Diagnostic;
use crate::elements::Elements;
use crate::load::is_embedded;
use crate::schema::{Locations, Schema};
use crate::source::Span;

pub(crate) use imports::unused as unused_imports;
pub(crate) use json::json_name;

/// The largest number of a field.
pub(crate) const MAX_NUMBER: i32 = 536_870_911;

/// Every mistake in a schema that was loaded.
pub fn check(schema: &Schema) -> Vec<Diagnostic> {
    let files: Vec<_> = schema
        .descriptors
        .file
        .iter()
        .map(|file| File::new(file, schema))
        .collect();
    let index = Index::new(&files);
    let mut mistakes = Vec::new();
    extensions::check_numbers(&files, &mut mistakes);
    for file in files.iter().filter(|file| !is_embedded(file.name())) {
        package::check(file, &mut mistakes);
        ranges::check(file, &mut mistakes);
        enums::check(file, &mut mistakes);
        fields::check(file, &index, &mut mistakes);
        defaults::check(file, &index, &mut mistakes);
        maps::check(file, &index, &mut mistakes);
        // What is left depends on features in editions, and such a file was compiled by someone who knows them.
        if file.syntax == Syntax::Edition {
            continue;
        }
        json::check(file, &mut mistakes);
        extensions::check(file, &index, &mut mistakes);
        declarations::check(file, &index, &mut mistakes);
        options::check(file, &index, &mut mistakes);
    }
    mistakes
}

/// Which language a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Proto2,
    Proto3,
    Edition,
}

/// A file and where everything in it stands.
pub(crate) struct File<'a> {
    pub(crate) descriptor: &'a FileDescriptorProto,
    pub(crate) elements: Elements<'a>,
    pub(crate) syntax: Syntax,
    locations: Locations,
}

impl<'a> File<'a> {
    fn new(descriptor: &'a FileDescriptorProto, schema: &Schema) -> Self {
        let syntax = match descriptor.syntax.as_deref() {
            None | Some("proto2") => Syntax::Proto2,
            Some("proto3") => Syntax::Proto3,
            Some(_) => Syntax::Edition,
        };
        Self {
            descriptor,
            elements: Elements::of(descriptor),
            syntax,
            locations: Locations::new(descriptor, &schema.sources),
        }
    }

    fn name(&self) -> &str {
        self.descriptor.name.as_deref().unwrap_or_default()
    }

    fn is_proto3(&self) -> bool {
        self.syntax == Syntax::Proto3
    }

    /// A mistake at a place in `element`.
    fn mistake(&self, path: &[i32], element: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message)
            .at(self.span(path), "")
            .within(element)
    }

    fn span(&self, path: &[i32]) -> Option<Span> {
        self.locations.span(path)
    }
}

/// Messages and enums by the names that fields use: full, with a dot in front.
pub(crate) struct Index<'a> {
    messages: HashMap<&'a str, (&'a DescriptorProto, Syntax)>,
    enums: HashMap<&'a str, (&'a EnumDescriptorProto, Syntax)>,
    /// By what they extend and by number.
    extensions: HashMap<(&'a str, i32), (&'a FieldDescriptorProto, &'a str)>,
    /// The files for the small runtime of C++ and Java.
    lite: HashSet<&'a str>,
}

impl<'a> Index<'a> {
    fn new(files: &'a [File<'a>]) -> Self {
        let mut index = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
            extensions: HashMap::new(),
            lite: HashSet::new(),
        };
        for file in files {
            let messages = file.elements.messages.iter();
            index.messages.extend(
                messages.map(|message| (message.name.as_str(), (message.item, file.syntax))),
            );
            let enums = file.elements.enums.iter();
            index
                .enums
                .extend(enums.map(|item| (item.name.as_str(), (item.item, file.syntax))));
            for extension in &file.elements.extensions {
                let number = extension.item.number.unwrap_or_default();
                let extendee = extension.item.extendee.as_deref().unwrap_or_default();
                index.extensions.insert(
                    (extendee, number),
                    (extension.item, extension.name.as_str()),
                );
            }
            if options::is_lite(file.descriptor) {
                index.lite.insert(file.name());
            }
        }
        index
    }

    fn message(&self, name: &str) -> Option<(&'a DescriptorProto, Syntax)> {
        self.messages.get(name.strip_prefix('.')?).copied()
    }

    fn enumeration(&self, name: &str) -> Option<(&'a EnumDescriptorProto, Syntax)> {
        self.enums.get(name.strip_prefix('.')?).copied()
    }
}

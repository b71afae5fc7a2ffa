//! A schema: descriptors, the text they came from, and the way from one to the other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use buffa_descriptor::generated::descriptor::{FileDescriptorProto, FileDescriptorSet};

use crate::source::{Sources, Span};

/// Everything that was loaded, imports included, each file after those that it imports.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The descriptors, with source locations where they are known.
    pub descriptors: FileDescriptorSet,
    /// The names of the files that were asked for; the others are there because these import them.
    pub requested: Vec<String>,
    /// The text of the files.
    pub sources: Sources,
}

/// Where an element stands in a schema: its file, and its path in the descriptor as
/// [`SourceCodeInfo.Location.path`](https://protobuf.dev/reference/protobuf/google.protobuf/#source-code-info) counts it.
/// An empty path is the file itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file's import name.
    pub file: Arc<str>,
    /// Field numbers and indices from `FileDescriptorProto` to the element.
    pub path: Vec<i32>,
}

impl Place {
    /// A file as a whole.
    pub fn file(name: &str) -> Self {
        Self {
            file: name.into(),
            path: Vec::new(),
        }
    }

    /// The element that lies below this one: a field number of the descriptor and an index in it, or a field number alone.
    pub fn child(&self, steps: &[i32]) -> Self {
        let path = [&self.path, steps].concat();
        Self {
            file: self.file.clone(),
            path,
        }
    }
}

impl Schema {
    /// The descriptor of a file.
    pub fn file(&self, name: &str) -> Option<&FileDescriptorProto> {
        self.descriptors
            .file
            .iter()
            .find(|file| file.name.as_deref() == Some(name))
    }

    /// Whether the user asked for this file, rather than for one that imports it.
    pub fn is_requested(&self, name: &str) -> bool {
        self.requested.iter().any(|requested| requested == name)
    }

    /// The locations of one file's elements.
    pub fn locations(&self, name: &str) -> Locations {
        self.file(name)
            .map(|file| Locations::new(file, &self.sources))
            .unwrap_or_default()
    }
}

/// The files of a schema by name, for those who ask for many.
pub(crate) struct Files<'a> {
    /// With their places in the schema.
    files: HashMap<&'a str, (usize, &'a FileDescriptorProto)>,
    requested: HashSet<&'a str>,
}

impl<'a> Files<'a> {
    pub(crate) fn of(schema: &'a Schema) -> Self {
        let files = schema.descriptors.file.iter().enumerate();
        let named = |(at, file): (usize, &'a FileDescriptorProto)| {
            (file.name.as_deref().unwrap_or_default(), (at, file))
        };
        Self {
            // Of several files of one name the first counts, as everywhere.
            files: files.rev().map(named).collect(),
            requested: schema.requested.iter().map(String::as_str).collect(),
        }
    }

    pub(crate) fn file(&self, name: &str) -> Option<&'a FileDescriptorProto> {
        self.files.get(name).map(|(_, file)| *file)
    }

    /// Where a file stands in the schema, behind those that it imports.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.files.get(name).map(|(at, _)| *at)
    }

    pub(crate) fn is_requested(&self, file: &FileDescriptorProto) -> bool {
        let name = file.name.as_deref().unwrap_or_default();
        self.requested.contains(name)
    }
}

/// Where the elements of one file stand in its text.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    spans: HashMap<Vec<i32>, Span>,
}

impl Locations {
    /// The locations of a file's elements in its text, as far as that is known.
    pub fn new(file: &FileDescriptorProto, sources: &Sources) -> Self {
        let mut spans = HashMap::new();
        if let Some(source) = sources.file(file.name.as_deref().unwrap_or_default())
            && let Some(info) = file.source_code_info.as_option()
        {
            for location in &info.location {
                if let Some(span) = source.span(&location.span) {
                    // Of several locations with one path (an extended block, an option set twice) the first counts.
                    spans.entry(location.path.clone()).or_insert(span);
                }
            }
        }
        Self { spans }
    }

    /// Whether something is written at exactly this path.
    pub(crate) fn has(&self, path: &[i32]) -> bool {
        self.spans.contains_key(path)
    }

    /// The text of the element at this path, or of the nearest element around it. `None` where the text is not known.
    pub fn span(&self, path: &[i32]) -> Option<Span> {
        (0..=path.len())
            .rev()
            .find_map(|length| self.spans.get(&path[..length]))
            .cloned()
    }
}

//! Messages and enums, which buffa writes.

use std::collections::{BTreeMap, BTreeSet};

use buffa_codegen::{BytesRepr, CodeGenConfig, GeneratedFileKind, generate};
use buffa_descriptor::generated::descriptor::DescriptorProto;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};

use super::Settings;
use super::deprecated::{Deprecated, unmark};
use super::names::Named;
use super::plan::{self, PROTOBUF, Plan, closure, package_of};
use super::redirect::redirect;
use crate::diagnostic::Diagnostic;
use crate::schema::Schema;

/// How buffa writes messages; the same for all packages but for views.
pub(crate) fn config(schema: &Schema, settings: &Settings, views: bool) -> CodeGenConfig {
    let mut config = CodeGenConfig::default();
    config.generate_views = views;
    config.generate_json = true;
    config.preserve_unknown_fields = true;
    config.idiomatic_field_names = true;
    config.allow_message_set = true;
    config.bytes_fields = vec![(".".to_owned(), BytesRepr::Bytes)];
    // buffa 0.9.2 writes the default of a required field as a `Vec`, whatever the field is.
    let defaults = required_bytes_with_default(schema);
    let vec = defaults.into_iter().map(|name| (name, BytesRepr::Vec));
    config.bytes_fields.extend(vec);
    config.extern_paths = settings
        .external
        .iter()
        .map(|(package, path)| (format!(".{package}"), path.clone()))
        .collect();
    // One by one, as other types of their package may be generated.
    let types = plan::types_in_runtime(schema, settings).map(|name| {
        let path = format!("::buffa_types::google::protobuf::{name}");
        (format!(".{PROTOBUF}.{name}"), path)
    });
    config.extern_paths.extend(types);
    let mut deprecated = Deprecated::default();
    for file in &schema.descriptors.file {
        deprecated.file(file);
    }
    config.message_attributes = deprecated.messages;
    config.enum_attributes = deprecated.enums;
    config.field_attributes = deprecated.fields;
    config
}

/// What is written of one file, each section for another module of its package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts([String; Section::ALL.len()]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Owned,
    View,
    ViewOneof,
    Oneof,
    Ext,
}

impl Section {
    pub(crate) const ALL: [Self; 5] = [
        Self::Owned,
        Self::View,
        Self::ViewOneof,
        Self::Oneof,
        Self::Ext,
    ];

    /// The module that it is in, beside the package's own.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Owned => "",
            Self::View => "view",
            Self::ViewOneof | Self::Oneof => "oneof",
            Self::Ext => "ext",
        }
    }

    fn of(kind: GeneratedFileKind) -> Option<Self> {
        match kind {
            GeneratedFileKind::Owned => Some(Self::Owned),
            GeneratedFileKind::View => Some(Self::View),
            GeneratedFileKind::ViewOneof => Some(Self::ViewOneof),
            GeneratedFileKind::Oneof => Some(Self::Oneof),
            GeneratedFileKind::Ext => Some(Self::Ext),
            _ => None,
        }
    }
}

impl Texts {
    pub(crate) fn new(sections: [String; Section::ALL.len()]) -> Self {
        Self(sections)
    }

    pub(crate) fn get(&self, section: Section) -> &str {
        &self.0[section as usize]
    }

    pub(crate) fn sections(&self) -> &[String] {
        &self.0
    }
}

/// Writes the messages of some files, by file.
pub(crate) fn expand_messages(
    named: &Named,
    plan: &Plan,
    files: &BTreeSet<&str>,
    settings: &Settings,
) -> Result<BTreeMap<String, Texts>, Vec<Diagnostic>> {
    let with_views = with_views(plan, settings);
    let mut texts = BTreeMap::new();
    for views in [false, true] {
        let packages = plan
            .iter()
            .filter(|(name, _)| with_views.contains(*name) == views);
        let own = packages.flat_map(|(_, package)| &package.files);
        let own: BTreeSet<&String> = own.filter(|file| files.contains(file.as_str())).collect();
        if own.is_empty() {
            continue;
        }
        // buffa takes the types of this package for its own, unless it writes some of them.
        let protobuf = plan.get(PROTOBUF).into_iter().flat_map(|it| &it.files);
        let written: BTreeSet<&String> = own.iter().copied().chain(protobuf).collect();
        let written: Vec<String> = written.into_iter().cloned().collect();
        let config = config(&named.schema, settings, views);
        let generated = generate(&named.schema.descriptors.file, &written, &config);
        let generated = generated.map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        for file in generated {
            let Some(section) = Section::of(file.kind) else {
                continue;
            };
            let (source, text) = without_header(&file.content);
            if own.iter().any(|name| *name == source) {
                let texts: &mut Texts = texts.entry(source.to_owned()).or_default();
                let text = redirect(&unmark(text), &settings.private_path(), &named.stand_ins);
                texts.0[section as usize] = named.numbers.put_back(text);
            }
        }
    }
    Ok(texts)
}

/// The packages that have views. A view of a message is made of views of other messages, so what those use has them too.
pub(crate) fn with_views(plan: &Plan, settings: &Settings) -> BTreeSet<String> {
    settings
        .views
        .iter()
        .flat_map(|package| closure(plan, package))
        .collect()
}

/// The names of the fields whose default is written as a `Vec`. In an edition it is decided elsewhere what is required, so
/// that all with a default are taken for it.
fn required_bytes_with_default(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for file in &schema.descriptors.file {
        let is_edition = file.syntax.as_deref() == Some("editions");
        let scope = match package_of(file) {
            "" => String::new(),
            package => format!(".{package}"),
        };
        let mut waiting: Vec<(String, &DescriptorProto)> = Vec::new();
        waiting.extend(file.message_type.iter().map(|it| (scope.clone(), it)));
        while let Some((scope, message)) = waiting.pop() {
            let scope = format!("{scope}.{}", message.name.as_deref().unwrap_or_default());
            let fields = message.field.iter().filter(|field| {
                field.r#type == Some(Type::TYPE_BYTES)
                    && field.default_value.is_some()
                    && (is_edition || field.label == Some(Label::LABEL_REQUIRED))
            });
            let names = fields.filter_map(|field| field.name.as_deref());
            found.extend(names.map(|name| format!("{scope}.{name}")));
            waiting.extend(message.nested_type.iter().map(|it| (scope.clone(), it)));
        }
    }
    found
}

/// The name of the file that a text is of, and the text without the comments that say it.
fn without_header(text: &str) -> (&str, &str) {
    let (_, rest) = text.split_once("\n// source: ").unwrap_or_default();
    rest.split_once("\n\n").unwrap_or_default()
}

//! What is generated of a schema: the files that were asked for and those whose types they need, package by package.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::Settings;
use crate::load::{DESCRIPTOR, is_embedded};
use crate::schema::{Files, Schema};

/// The package of the messages that come with the runtime.
pub(crate) const PROTOBUF: &str = "google.protobuf";

/// The files of that package that the runtime has without JSON. They are generated where they are needed.
const WITHOUT_JSON: [&str; 3] = [
    "google/protobuf/api.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/type.proto",
];

/// The packages to generate, by name.
pub(crate) type Plan = BTreeMap<String, Package>;

/// One package of the plan.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// Its files by import name, sorted.
    pub(crate) files: BTreeSet<String>,
    /// The other generated packages whose types its own use.
    pub(crate) uses: BTreeSet<String>,
}

/// Decides what is generated. `errors` are the types that only options name.
pub(crate) fn plan(
    schema: &Schema,
    types: &TypeIndex<'_>,
    settings: &Settings,
    errors: &[String],
) -> Plan {
    let all = Files::of(schema);
    let mut plan = Plan::new();
    let mut waiting: Vec<&FileDescriptorProto> = schema
        .descriptors
        .file
        .iter()
        .filter(|file| all.is_requested(file))
        .collect();
    waiting.extend(errors.iter().filter_map(|name| types.file_of(name)));
    while let Some(file) = waiting.pop() {
        let package_name = package_of(file);
        if is_elsewhere(file, settings) {
            continue;
        }
        let package = plan.entry(package_name.to_owned()).or_default();
        if !package.files.insert(file.name.clone().unwrap_or_default()) {
            continue;
        }
        let has_services = all.is_requested(file);
        for name in named_types(file, has_services) {
            let Some(other) = types.file_of(name) else {
                continue;
            };
            let other_name = package_of(other);
            if other_name != package_name && !is_elsewhere(other, settings) {
                package.uses.insert(other_name.to_owned());
            }
            waiting.push(other);
        }
    }
    plan
}

/// A package and all that it uses, however far.
pub(crate) fn closure(plan: &Plan, package: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![package.to_owned()];
    while let Some(name) = waiting.pop() {
        let Some(package) = plan.get(&name) else {
            continue;
        };
        if found.insert(name) {
            waiting.extend(package.uses.iter().cloned());
        }
    }
    found
}

/// Whether the types of a file are not ours to generate: most of protobuf's own are in the runtime.
fn is_elsewhere(file: &FileDescriptorProto, settings: &Settings) -> bool {
    is_in_runtime(file) || is_external(package_of(file), settings)
}

/// By the name of the file, as others may declare something in packages of these names, too.
fn is_in_runtime(file: &FileDescriptorProto) -> bool {
    let name = file.name.as_deref().unwrap_or_default();
    let is_ours = [PROTOBUF, "google.protobuf.compiler", "rpc.v1"].contains(&package_of(file));
    is_ours && is_embedded(name) && !WITHOUT_JSON.contains(&name)
}

/// Whether the types of a package are in a module that the settings name.
pub(crate) fn is_external(package: &str, settings: &Settings) -> bool {
    settings.external.iter().any(|(outer, _)| {
        package == outer
            || package
                .strip_prefix(outer.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The types that the runtime has of the package that it shares with files to generate.
pub(crate) fn types_in_runtime<'a>(
    schema: &'a Schema,
    settings: &Settings,
) -> impl Iterator<Item = &'a str> {
    let files = schema.descriptors.file.iter();
    let files = files.filter(|file| {
        package_of(file) == PROTOBUF
            && file.name.as_deref() != Some(DESCRIPTOR)
            && is_in_runtime(file)
            && !is_external(PROTOBUF, settings)
    });
    files.flat_map(|file| {
        let messages = file.message_type.iter().filter_map(|it| it.name.as_deref());
        messages.chain(file.enum_type.iter().filter_map(|it| it.name.as_deref()))
    })
}

/// The package of a file; empty where it has none.
pub(crate) fn package_of(file: &FileDescriptorProto) -> &str {
    file.package.as_deref().unwrap_or_default()
}

/// Types, by names that begin with a dot: their files, and what messages declare.
pub(crate) struct TypeIndex<'a>(
    HashMap<String, (&'a FileDescriptorProto, Option<&'a DescriptorProto>)>,
);

impl<'a> TypeIndex<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let mut index = Self(HashMap::new());
        for file in &schema.descriptors.file {
            let scope = match package_of(file) {
                "" => String::new(),
                package => format!(".{package}"),
            };
            for message in &file.message_type {
                index.insert(message, &scope, file);
            }
            for name in file.enum_type.iter().filter_map(|it| it.name.as_deref()) {
                index.0.insert(format!("{scope}.{name}"), (file, None));
            }
        }
        index
    }

    fn insert(&mut self, message: &'a DescriptorProto, scope: &str, file: &'a FileDescriptorProto) {
        let scope = format!("{scope}.{}", message.name.as_deref().unwrap_or_default());
        for nested in &message.nested_type {
            self.insert(nested, &scope, file);
        }
        for name in message.enum_type.iter().filter_map(|it| it.name.as_deref()) {
            self.0.insert(format!("{scope}.{name}"), (file, None));
        }
        self.0.insert(scope, (file, Some(message)));
    }

    /// The file that declares a type.
    pub(crate) fn file_of(&self, name: &str) -> Option<&'a FileDescriptorProto> {
        self.0.get(name).map(|(file, _)| *file)
    }

    /// A message, and the file that declares it.
    pub(crate) fn message_of(
        &self,
        name: &str,
    ) -> Option<(&'a FileDescriptorProto, &'a DescriptorProto)> {
        let (file, message) = self.0.get(name)?;
        Some((file, (*message)?))
    }
}

/// The types that a file's own types are made of, and those of its services.
pub(crate) fn named_types(file: &FileDescriptorProto, has_services: bool) -> Vec<&str> {
    let mut names: Vec<&str> = file.extension.iter().filter_map(type_name).collect();
    for message in &file.message_type {
        named_by_message(message, &mut names);
    }
    let services = file.service.iter().filter(|_| has_services);
    for method in services.flat_map(|service| &service.method) {
        names.extend(method.input_type.as_deref());
        names.extend(method.output_type.as_deref());
    }
    names
}

fn named_by_message<'a>(message: &'a DescriptorProto, names: &mut Vec<&'a str>) {
    names.extend(
        message
            .field
            .iter()
            .chain(&message.extension)
            .filter_map(type_name),
    );
    for nested in &message.nested_type {
        named_by_message(nested, names);
    }
}

fn type_name(field: &FieldDescriptorProto) -> Option<&str> {
    field.type_name.as_deref()
}

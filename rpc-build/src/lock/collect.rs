//! Descriptors into the model of a lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use buffa_descriptor::features::{self, EnumType, JsonFormat, ResolvedFeatures};
use buffa_descriptor::generated::descriptor::descriptor_proto::{ExtensionRange, ReservedRange};
use buffa_descriptor::generated::descriptor::method_options::IdempotencyLevel;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};

use super::collect_field::{self, Language};
use super::collect_file::{options, syntax};
use super::model::{
    At, Enum, File, Idempotency, Message, Method, OPTIONS, Oneof, Range, Reserved, Service, Syntax,
    Value, is_bundled,
};

/// The first value of every enum that does not begin with 0, by its full name with a leading dot, and the number of every
/// value: what is needed to know the default of an enum field.
pub(super) type EnumNumbers = HashMap<String, (i32, HashMap<String, i32>)>;

pub(super) fn files(files: &[FileDescriptorProto]) -> BTreeMap<String, File> {
    let mut numbers = EnumNumbers::new();
    for file in files {
        let scope = match text(&file.package) {
            "" => String::new(),
            package => format!(".{package}"),
        };
        enum_numbers(&scope, &file.enum_type, &file.message_type, &mut numbers);
    }
    let left_out = only_for_options(files);
    files
        .iter()
        .filter(|file| !left_out.contains(text(&file.name)))
        .map(|file| (text(&file.name).to_owned(), Collector::file(file, &numbers)))
        .collect()
}

/// The options of this crate, and what only they import.
fn only_for_options(files: &[FileDescriptorProto]) -> BTreeSet<&str> {
    let (ours, others): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| text(&file.name) == OPTIONS);
    let mut left_out: BTreeSet<_> = imports(&ours).collect();
    for import in imports(&others) {
        left_out.remove(import);
    }
    left_out.extend(ours.iter().map(|file| text(&file.name)));
    left_out
}

fn imports<'a>(files: &[&'a FileDescriptorProto]) -> impl Iterator<Item = &'a str> {
    let imports = files.iter().flat_map(|file| &file.dependency);
    imports.map(String::as_str)
}

fn enum_numbers(
    scope: &str,
    enums: &[EnumDescriptorProto],
    messages: &[DescriptorProto],
    numbers: &mut EnumNumbers,
) {
    for enumeration in enums {
        let values: HashMap<_, _> = enumeration
            .value
            .iter()
            .map(|value| {
                (
                    text(&value.name).to_owned(),
                    value.number.unwrap_or_default(),
                )
            })
            .collect();
        let first = enumeration
            .value
            .first()
            .map_or(0, |value| value.number.unwrap_or_default());
        numbers.insert(
            format!("{scope}.{}", text(&enumeration.name)),
            (first, values),
        );
    }
    for message in messages {
        let scope = format!("{scope}.{}", text(&message.name));
        enum_numbers(&scope, &message.enum_type, &message.nested_type, numbers);
    }
}

/// The first line of every location in a file, from 1.
pub(crate) fn source_lines(file: &FileDescriptorProto) -> HashMap<&[i32], u32> {
    let mut lines = HashMap::new();
    if let Some(info) = file.source_code_info.as_option() {
        for location in &info.location {
            let line = location.span.first().copied().unwrap_or(0);
            let line = u32::try_from(line).map_or(0, |line| line.saturating_add(1));
            lines.entry(location.path.as_slice()).or_insert(line);
        }
    }
    lines
}

/// The scope that an element stands in.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The messages around it: `Outer.Inner`, empty at the top.
    pub(super) name: &'a str,
    pub(super) features: ResolvedFeatures,
    pub(super) language: Language,
}

impl Scope<'_> {
    pub(super) fn named(&self, name: &str) -> String {
        match self.name {
            "" => name.to_owned(),
            scope => format!("{scope}.{name}"),
        }
    }
}

pub(super) struct Collector<'a> {
    pub(super) lines: HashMap<&'a [i32], u32>,
    pub(super) numbers: &'a EnumNumbers,
    pub(super) syntax: Syntax,
    file: File,
}

impl<'a> Collector<'a> {
    fn file(file: &'a FileDescriptorProto, numbers: &'a EnumNumbers) -> File {
        let syntax = syntax(file);
        let mut collector = Self {
            lines: source_lines(file),
            numbers,
            syntax,
            file: File {
                name: text(&file.name).to_owned(),
                package: text(&file.package).to_owned(),
                syntax,
                bundled: is_bundled(text(&file.name)),
                ..File::default()
            },
        };
        if !collector.file.bundled {
            collector.file.options = options(file);
        }
        let scope = Scope {
            name: "",
            features: features::for_file(file),
            language: Language::of_file(file, syntax),
        };
        for (index, message) in numbered(&file.message_type) {
            collector.message(message, None, &scope, &[4, index]);
        }
        for (index, enumeration) in numbered(&file.enum_type) {
            collector.enumeration(enumeration, &scope, &[5, index]);
        }
        for (index, service) in numbered(&file.service) {
            collector.service(service, &[6, index]);
        }
        for (index, field) in numbered(&file.extension) {
            let field = collect_field::extension(&collector, field, &scope, &[7, index]);
            collector.file.extensions.push(field);
        }
        collector.file.sort();
        collector.file
    }

    /// An element at this path; its line is that of its name.
    pub(super) fn at(&self, path: &[i32]) -> At {
        let name = [path, &[1]].concat();
        let line = self
            .lines
            .get(name.as_slice())
            .or_else(|| self.lines.get(path));
        At {
            line: line.copied().unwrap_or(0),
            path: path.to_vec(),
        }
    }

    fn message(
        &mut self,
        message: &DescriptorProto,
        parent: Option<&DescriptorProto>,
        outer: &Scope<'_>,
        path: &[i32],
    ) {
        let name = outer.named(text(&message.name));
        let own = features::message_features(message);
        let scope = Scope {
            name: &name,
            features: features::resolve_child(&outer.features, own),
            language: outer.language.within(own),
        };
        let options = message.options.as_option();
        let is = |flag: Option<bool>| flag.unwrap_or(false);
        let is_entry = is(options.and_then(|options| options.map_entry));
        let mut collected = Message {
            name: name.clone(),
            map_entry: is_entry && !self.file.bundled,
            at: self.at(path),
            ..Message::default()
        };
        if !self.file.bundled {
            collected.legacy_json = scope.features.json_format == JsonFormat::LegacyBestEffort;
            collected.no_standard_descriptor_accessor =
                is(options.and_then(|options| options.no_standard_descriptor_accessor));
            collected.message_set = is(options.and_then(|options| options.message_set_wire_format));
            self.members(message, &scope, &mut collected);
        }
        self.nested(message, &scope, path);
        if let (true, Some(parent)) = (collected.map_entry, parent) {
            self.place_entry(parent, path, &mut collected);
        }
        self.file.messages.push(collected);
    }

    fn nested(&mut self, message: &DescriptorProto, scope: &Scope<'_>, path: &[i32]) {
        for (index, nested) in numbered(&message.nested_type) {
            self.message(nested, Some(message), scope, &[path, &[3, index]].concat());
        }
        for (index, enumeration) in numbered(&message.enum_type) {
            self.enumeration(enumeration, scope, &[path, &[4, index]].concat());
        }
        for (index, field) in numbered(&message.extension) {
            let path = [path, &[6, index]].concat();
            let field = collect_field::extension(self, field, scope, &path);
            self.file.extensions.push(field);
        }
    }

    fn members(&self, message: &DescriptorProto, scope: &Scope<'_>, collected: &mut Message) {
        let path = collected.at.path.clone();
        for (index, field) in numbered(&message.field) {
            let path = [path.as_slice(), &[2, index]].concat();
            let field = collect_field::member(self, field, message, scope, &path);
            collected.fields.push(field);
        }
        let optional = message.field.iter();
        let optional = optional.filter(|field| field.proto3_optional.unwrap_or(false));
        let synthetic: HashSet<i32> = optional.filter_map(|field| field.oneof_index).collect();
        for (index, oneof) in numbered(&message.oneof_decl) {
            collected.oneofs.push(Oneof {
                name: text(&oneof.name).to_owned(),
                synthetic: synthetic.contains(&index),
                at: self.at(&[path.as_slice(), &[8, index]].concat()),
            });
        }
        collected.reserved = Reserved {
            ranges: exclusive(message.reserved_range.iter().map(|range: &ReservedRange| {
                (
                    range.start.unwrap_or_default(),
                    range.end.unwrap_or_default(),
                )
            })),
            names: sorted(&message.reserved_name),
        };
        collected.extension_ranges = exclusive(message.extension_range.iter().map(
            |range: &ExtensionRange| {
                (
                    range.start.unwrap_or_default(),
                    range.end.unwrap_or_default(),
                )
            },
        ));
    }

    /// A map entry is nowhere in the text: it and its fields are where the map field is.
    fn place_entry(&self, parent: &DescriptorProto, path: &[i32], entry: &mut Message) {
        let name = entry.name.rsplit('.').next().unwrap_or_default();
        let field = numbered(&parent.field)
            .find(|(_, field)| text(&field.type_name).rsplit('.').next() == Some(name));
        if let (Some((index, _)), [message @ .., _, _]) = (field, path) {
            let at = self.at(&[message, &[2, index]].concat());
            for member in &mut entry.fields {
                member.at = at.clone();
            }
            entry.at = at;
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptorProto, outer: &Scope<'_>, path: &[i32]) {
        let own = features::enum_features(enumeration);
        let features = features::resolve_child(&outer.features, own);
        let mut collected = Enum {
            name: outer.named(text(&enumeration.name)),
            closed: features.enum_type == EnumType::Closed,
            legacy_json: features.json_format == JsonFormat::LegacyBestEffort,
            at: self.at(path),
            ..Enum::default()
        };
        for (index, value) in numbered(&enumeration.value) {
            collected.values.push(Value {
                name: text(&value.name).to_owned(),
                number: value.number.unwrap_or_default(),
                at: self.at(&[path, &[2, index]].concat()),
            });
        }
        let mut ranges: Vec<_> = enumeration
            .reserved_range
            .iter()
            .map(|range| {
                (
                    range.start.unwrap_or_default(),
                    range.end.unwrap_or_default(),
                )
            })
            .collect();
        ranges.sort_unstable();
        collected.reserved = Reserved {
            ranges,
            names: sorted(&enumeration.reserved_name),
        };
        self.file.enums.push(collected);
    }

    fn service(&mut self, service: &ServiceDescriptorProto, path: &[i32]) {
        let mut collected = Service {
            name: text(&service.name).to_owned(),
            at: self.at(path),
            ..Service::default()
        };
        for (index, method) in numbered(&service.method) {
            let level = method
                .options
                .as_option()
                .and_then(|options| options.idempotency_level);
            collected.methods.push(Method {
                name: text(&method.name).to_owned(),
                input: text(&method.input_type).to_owned(),
                output: text(&method.output_type).to_owned(),
                client_streaming: method.client_streaming.unwrap_or(false),
                server_streaming: method.server_streaming.unwrap_or(false),
                idempotency: match level {
                    Some(IdempotencyLevel::NO_SIDE_EFFECTS) => Idempotency::NoSideEffects,
                    Some(IdempotencyLevel::IDEMPOTENT) => Idempotency::Idempotent,
                    _ => Idempotency::Unknown,
                },
                at: self.at(&[path, &[2, index]].concat()),
            });
        }
        self.file.services.push(collected);
    }
}

impl File {
    /// In the order of a lock, which does not depend on the order in the text.
    fn sort(&mut self) {
        self.messages.sort_by(|a, b| a.name.cmp(&b.name));
        for message in &mut self.messages {
            message.fields.sort_by_key(|field| field.number);
            message.oneofs.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.enums.sort_by(|a, b| a.name.cmp(&b.name));
        for enumeration in &mut self.enums {
            enumeration
                .values
                .sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
        }
        self.services.sort_by(|a, b| a.name.cmp(&b.name));
        for service in &mut self.services {
            service.methods.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.extensions
            .sort_by(|a, b| (&a.extendee, a.number).cmp(&(&b.extendee, b.number)));
    }
}

/// Ranges whose end is not in them, as messages have them.
fn exclusive(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut ranges: Vec<_> = ranges
        .map(|(first, end)| (first, end.saturating_sub(1)))
        .collect();
    ranges.sort_unstable();
    ranges
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    names
}

/// Items with their index as paths count it.
pub(super) fn numbered<T>(items: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(items)
}

/// A text of a descriptor. What is missing is empty, as in every protobuf library.
pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

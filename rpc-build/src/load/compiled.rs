//! What `protoc` promises of the descriptors that it writes, and all that comes after relies on. A descriptor set may be from
//! elsewhere, and a file in it that breaks a promise is refused as a whole.

mod defaults;
mod maps;

pub(crate) use maps::is_map_key;

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, Edition, FieldDescriptorProto, FileDescriptorProto,
};

use crate::diagnostic::Diagnostic;
use crate::elements::{Element, Elements, join, numbered};

/// Every broken promise that a file shows by itself.
pub(super) fn check(file: &FileDescriptorProto) -> Vec<Diagnostic> {
    let elements = Elements::of(file);
    let mut checker = Checker {
        mistakes: Vec::new(),
    };
    checker.file(file);
    checker.names(&elements);
    if !checker.mistakes.is_empty() {
        // With such names one could not say where anything else is wrong.
        return checker.mistakes;
    }
    for message in &elements.messages {
        checker.message(message);
    }
    for extension in &elements.extensions {
        checker.extension(extension.item, &extension.name);
    }
    for service in &elements.services {
        for method in &service.item.method {
            let name = join(&service.name, method.name.as_deref());
            for (what, type_name) in [
                ("takes", method.input_type.as_deref()),
                ("returns", method.output_type.as_deref()),
            ] {
                checker.type_name(type_name, &format!("what the method {what}"), &name);
            }
        }
    }
    maps::check(&elements, &mut checker.mistakes);
    checker.mistakes
}

/// Takes the types out of the fields that have a name for them, so that it can be seen to what the names lead.
pub(super) fn forget_kinds(file: &mut FileDescriptorProto) {
    for_each_field(file, &mut |field| {
        if field.type_name.is_some() {
            field.r#type = None;
        }
    });
}

/// Compares the fields of a file with what their names lead to, and makes `resolved` the same again.
pub(super) fn check_kinds(
    file: &FileDescriptorProto,
    resolved: &mut FileDescriptorProto,
) -> Vec<Diagnostic> {
    let elements = Elements::of(file);
    let mut fields = Vec::new();
    // In the order of `for_each_field`.
    for message in &elements.messages {
        let own = message.item.field.iter().chain(&message.item.extension);
        fields.extend(own.map(|field| (field, join(&message.name, field.name.as_deref()))));
    }
    let package = file.package.as_deref().unwrap_or_default();
    let own = file.extension.iter();
    fields.extend(own.map(|field| (field, join(package, field.name.as_deref()))));
    let mut fields = fields.into_iter();
    let mut mistakes = Vec::new();
    for_each_field(resolved, &mut |found| {
        let Some((field, name)) = fields.next() else {
            return;
        };
        let is_enum = found.r#type == Some(Type::TYPE_ENUM);
        if let Some(type_name) = &field.type_name
            && is_enum != (field.r#type == Some(Type::TYPE_ENUM))
        {
            let (is, said) = match is_enum {
                true => ("an enum", "a message"),
                false => ("a message", "an enum"),
            };
            let type_name = type_name.trim_start_matches('.');
            let text = format!("`{type_name}` is {is}, and the field has {said} of this name");
            mistakes.push(broken(text, &name));
        }
        found.r#type = field.r#type;
    });
    mistakes
}

/// Messages before what is in them, each with its fields and then its extensions; at last the extensions of the file.
pub(crate) fn for_each_field(
    file: &mut FileDescriptorProto,
    change: &mut impl FnMut(&mut FieldDescriptorProto),
) {
    fn message(item: &mut DescriptorProto, change: &mut impl FnMut(&mut FieldDescriptorProto)) {
        item.field
            .iter_mut()
            .chain(&mut item.extension)
            .for_each(&mut *change);
        for nested in &mut item.nested_type {
            message(nested, change);
        }
    }
    for item in &mut file.message_type {
        message(item, change);
    }
    file.extension.iter_mut().for_each(change);
}

fn broken(message: impl Into<String>, element: &str) -> Diagnostic {
    Diagnostic::error(message)
        .within(element)
        .help("make the descriptor set with protoc or buf, which never write this")
}

/// A letter or an underscore, and then letters, digits and underscores.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

/// Whether a field's type is declared somewhere, and has a name.
fn is_named(kind: Type) -> bool {
    matches!(
        kind,
        Type::TYPE_MESSAGE | Type::TYPE_GROUP | Type::TYPE_ENUM
    )
}

struct Checker {
    mistakes: Vec<Diagnostic>,
}

impl Checker {
    fn broken(&mut self, message: impl Into<String>, element: &str) {
        self.mistakes.push(broken(message, element));
    }

    fn file(&mut self, file: &FileDescriptorProto) {
        let name = file.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            self.broken("a file has no name", name);
        } else if name.contains(char::is_control) {
            let name = name.escape_debug().to_string();
            self.broken(format!("`{name}` cannot be the name of a file"), &name);
        }
        if let Some(package) = file.package.as_deref().filter(|name| !name.is_empty())
            && !package.split('.').all(is_identifier)
        {
            let text =
                format!("the package `{package}` is not made of identifiers with dots between");
            self.broken(text, name);
        }
        let is_known = match file.syntax.as_deref() {
            None | Some("" | "proto2" | "proto3") => true,
            Some("editions") => matches!(
                file.edition,
                Some(Edition::EDITION_2023 | Edition::EDITION_2024)
            ),
            Some(_) => false,
        };
        if !is_known {
            let syntax = file.syntax.as_deref().unwrap_or_default();
            let text = match (syntax, file.edition) {
                ("editions", None) => "the file does not say its edition".to_owned(),
                ("editions", Some(edition)) => {
                    format!("the edition {edition:?} is not known here")
                }
                _ => format!("the syntax `{syntax}` is not known here"),
            };
            self.broken(text, name);
        }
        for at in file.public_dependency.iter().chain(&file.weak_dependency) {
            if !is_index(*at, file.dependency.len()) {
                let count = file.dependency.len();
                let text = format!("import {at} is public or weak, and there are {count}");
                self.broken(text, name);
            }
        }
    }

    fn names(&mut self, elements: &Elements<'_>) {
        for message in &elements.messages {
            self.name(message.item.name.as_deref(), "message", &message.name);
            for field in &message.item.field {
                let name = join(&message.name, field.name.as_deref());
                self.name(field.name.as_deref(), "field", &name);
            }
            for oneof in &message.item.oneof_decl {
                let name = join(&message.name, oneof.name.as_deref());
                self.name(oneof.name.as_deref(), "`oneof`", &name);
            }
        }
        for item in &elements.enums {
            self.name(item.item.name.as_deref(), "enum", &item.name);
            for value in &item.item.value {
                let name = join(&item.name, value.name.as_deref());
                self.name(value.name.as_deref(), "value", &name);
            }
        }
        for extension in &elements.extensions {
            let name = extension.item.name.as_deref();
            self.name(name, "extension", &extension.name);
        }
        for service in &elements.services {
            self.name(service.item.name.as_deref(), "service", &service.name);
            for method in &service.item.method {
                let name = join(&service.name, method.name.as_deref());
                self.name(method.name.as_deref(), "method", &name);
            }
        }
    }

    fn name(&mut self, name: Option<&str>, what: &str, element: &str) {
        match name {
            None | Some("") => self.broken(format!("the {what} has no name"), element),
            Some(name) if !is_identifier(name) => {
                let text = format!("`{name}`, the name of the {what}, is no identifier");
                self.broken(text, element);
            }
            Some(_) => {}
        }
    }

    fn message(&mut self, message: &Element<'_, DescriptorProto>) {
        for field in &message.item.field {
            let name = join(&message.name, field.name.as_deref());
            self.field(field, &name);
            self.oneof_index(field, message.item, &name);
            if field.extendee.is_some() {
                self.broken("a field extends nothing", &name);
            }
        }
        // How many fields each has, and whether one of them is `optional`.
        let mut counts: HashMap<i32, (usize, bool)> = HashMap::new();
        for field in &message.item.field {
            let (count, has_optional) = counts.entry(field.oneof_index.unwrap_or(-1)).or_default();
            *count += 1;
            *has_optional |= is_optional(field);
        }
        for (index, oneof) in numbered(&message.item.oneof_decl) {
            let counted = counts.get(&index).copied().unwrap_or_default();
            if let (2.., true) = counted {
                let name = join(&message.name, oneof.name.as_deref());
                let text = "the `oneof` is that of an `optional` field, and has others";
                self.broken(text, &name);
            }
        }
    }

    fn oneof_index(&mut self, field: &FieldDescriptorProto, message: &DescriptorProto, name: &str) {
        let count = message.oneof_decl.len();
        match field.oneof_index {
            Some(index) if !is_index(index, count) => {
                let text = format!("the field is in `oneof` {index}, and there are {count}");
                self.broken(text, name);
            }
            None if is_optional(field) => {
                self.broken(
                    "an `optional` field of proto3 has no `oneof` of its own",
                    name,
                );
            }
            _ => {}
        }
    }

    fn extension(&mut self, field: &FieldDescriptorProto, name: &str) {
        self.field(field, name);
        self.type_name(
            field.extendee.as_deref(),
            "what the extension extends",
            name,
        );
        if field.oneof_index.is_some() {
            self.broken("an extension is in no `oneof`", name);
        }
    }

    fn field(&mut self, field: &FieldDescriptorProto, name: &str) {
        match field.r#type {
            None => self.broken("the field has no type", name),
            Some(kind) if is_named(kind) => {
                self.type_name(field.type_name.as_deref(), "the type", name);
            }
            Some(_) if field.type_name.is_some() => {
                self.broken(
                    "the field has a type that takes no name, and a name for it",
                    name,
                );
            }
            Some(kind) => {
                if let Some(default) = field.default_value.as_deref()
                    && !defaults::is_default(default, kind)
                {
                    let text = format!("the default `{default}` is none for the field's type");
                    self.broken(text, name);
                }
            }
        }
    }

    /// A name is full, so that nobody has to look from where it was written.
    fn type_name(&mut self, type_name: Option<&str>, what: &str, element: &str) {
        let text = match type_name {
            None => format!("{what} is not said"),
            Some(name) => match name.strip_prefix('.') {
                Some(rest) if rest.split('.').all(is_identifier) => return,
                _ => format!("{what}, `{name}`, is no full name with a dot in front"),
            },
        };
        self.broken(text, element);
    }
}

fn is_optional(field: &FieldDescriptorProto) -> bool {
    field.proto3_optional == Some(true)
}

fn is_index(index: i32, count: usize) -> bool {
    usize::try_from(index).is_ok_and(|index| index < count)
}

//! Fields and extensions: numbers, labels, types, and options that only some of them can have.

use std::collections::{HashMap, HashSet};

use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, field_options,
};

use super::{File, Index, MAX_NUMBER, Syntax};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, join, numbered};
use crate::tag;

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        let is_entry = message
            .item
            .options
            .as_option()
            .is_some_and(|options| options.map_entry == Some(true));
        for (at, item) in numbered(&message.item.field) {
            let field = Field {
                file,
                item,
                name: join(&message.name, item.name.as_deref()),
                path: below(&message.path, &[tag::message::FIELD, at]),
            };
            if is_entry {
                continue;
            }
            field.check(index, mistakes);
            field.check_oneof(mistakes);
        }
        check_numbers_differ(file, message, mistakes);
        check_oneofs(file, message, mistakes);
    }
    for extension in &file.elements.extensions {
        let field = Field {
            file,
            item: extension.item,
            name: extension.name.clone(),
            path: extension.path.clone(),
        };
        field.check(index, mistakes);
    }
}

struct Field<'a> {
    file: &'a File<'a>,
    item: &'a FieldDescriptorProto,
    name: String,
    path: Vec<i32>,
}

/// Whether values of a type can be written one behind the other without tags.
fn is_packable(kind: Option<Type>) -> bool {
    !matches!(
        kind,
        None | Some(Type::TYPE_STRING | Type::TYPE_BYTES | Type::TYPE_MESSAGE | Type::TYPE_GROUP)
    )
}

impl Field<'_> {
    fn mistake(&self, steps: &[i32], message: impl Into<String>) -> Diagnostic {
        self.file
            .mistake(&below(&self.path, steps), &self.name, message)
    }

    fn check(&self, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
        self.check_number(index, mistakes);
        self.check_language(index, mistakes);
        if let Some(options) = self.item.options.as_option() {
            self.check_packed(options, mistakes);
            self.check_lazy(options, mistakes);
            self.check_jstype(options, mistakes);
        }
    }

    /// Numbers are 1 to 536,870,911 without the block that protobuf needs itself. Extensions of a message set may have any.
    fn check_number(&self, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
        let number = self.item.number.unwrap_or_default();
        let extended = self
            .item
            .extendee
            .as_deref()
            .and_then(|name| index.message(name));
        let is_in_set =
            extended.is_some_and(|(message, _)| is_message_set(message) || !is_read(message));
        let (text, help) = if number <= 0 {
            (
                format!("field numbers begin at 1, not at {number}"),
                format!("write a number from 1 to {MAX_NUMBER}"),
            )
        } else if number > MAX_NUMBER && !is_in_set {
            (
                format!("the field number {number} is too large"),
                format!("write a number from 1 to {MAX_NUMBER}"),
            )
        } else if (19_000..20_000).contains(&number) {
            (
                format!("the field number {number} belongs to protobuf itself"),
                "19000 to 19999 are taken: write another".to_owned(),
            )
        } else {
            return;
        };
        mistakes.push(self.mistake(&[tag::field::NUMBER], text).help(help));
    }

    /// proto3 knows no `required`, no groups, and no enums that cannot hold unknown numbers.
    fn check_language(&self, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
        if !self.file.is_proto3() {
            return;
        }
        if self.item.label == Some(Label::LABEL_REQUIRED) {
            let mistake = self.mistake(&[tag::field::LABEL], "`required` is not allowed in proto3");
            mistakes.push(
                mistake
                    .help("leave it out; `optional` lets a reader see whether the field was set"),
            );
        }
        if self.item.r#type == Some(Type::TYPE_GROUP) {
            let mistake = self.mistake(&[tag::field::TYPE], "groups are not allowed in proto3");
            mistakes.push(mistake.help("declare a message, and a field of its type"));
        }
        if self.item.extendee.is_none()
            && let Some(name) = self.item.type_name.as_deref()
            && let Some((_, Syntax::Proto2)) = index.enumeration(name)
        {
            let name = name.trim_start_matches('.');
            let mistake = self.mistake(
                &[tag::field::TYPE_NAME],
                format!("the proto2 enum `{name}` is used in proto3"),
            );
            mistakes.push(
                mistake
                    .note(
                        "enums of proto2 hold no numbers that they do not name, those of proto3 do",
                    )
                    .help("declare the enum in a proto3 file"),
            );
        }
    }

    /// `packed` needs numbers, and many of them.
    fn check_packed(&self, options: &FieldOptions, mistakes: &mut Vec<Diagnostic>) {
        let is_repeated = self.item.label == Some(Label::LABEL_REPEATED);
        if options.packed == Some(true) && !(is_repeated && is_packable(self.item.r#type)) {
            let steps = [tag::field::OPTIONS, tag::field_options::PACKED];
            let mistake = self.mistake(
                &steps,
                "`packed` is only for repeated fields of numbers, `bool`s and enums",
            );
            mistakes.push(mistake.help("remove it"));
        }
    }

    /// `lazy` puts off the parsing of a message, and so needs one.
    fn check_lazy(&self, options: &FieldOptions, mistakes: &mut Vec<Diagnostic>) {
        if self.item.r#type == Some(Type::TYPE_MESSAGE) {
            return;
        }
        let set = [
            (options.lazy, "lazy", tag::field_options::LAZY),
            (
                options.unverified_lazy,
                "unverified_lazy",
                tag::field_options::UNVERIFIED_LAZY,
            ),
        ];
        for (_, name, step) in set.into_iter().filter(|(set, ..)| *set == Some(true)) {
            let mistake = self.mistake(
                &[tag::field::OPTIONS, step],
                format!("`{name}` is only for fields of messages"),
            );
            mistakes.push(mistake.help("remove it"));
        }
    }

    /// `jstype` says what a 64-bit number is in JavaScript.
    fn check_jstype(&self, options: &FieldOptions, mistakes: &mut Vec<Diagnostic>) {
        let is_long = matches!(
            self.item.r#type,
            Some(
                Type::TYPE_INT64
                    | Type::TYPE_UINT64
                    | Type::TYPE_SINT64
                    | Type::TYPE_FIXED64
                    | Type::TYPE_SFIXED64
            )
        );
        let is_set = options
            .jstype
            .is_some_and(|kind| kind != field_options::JSType::JS_NORMAL);
        if is_set && !is_long {
            let mistake = self.mistake(
                &[tag::field::OPTIONS, tag::field_options::JSTYPE],
                "`jstype` is only for fields of 64-bit integers",
            );
            mistakes.push(mistake.help("remove it"));
        }
    }

    /// A field of a `oneof` is there or not: it has no label, and it is not a map.
    fn check_oneof(&self, mistakes: &mut Vec<Diagnostic>) {
        if self.item.oneof_index.is_some()
            && self
                .item
                .label
                .is_some_and(|label| label != Label::LABEL_OPTIONAL)
        {
            let mistake = self.mistake(&[tag::field::LABEL], "a field in a `oneof` has no label");
            mistakes.push(
                mistake.help("leave the label out: a field of a `oneof` is optional as it is"),
            );
        }
    }
}

/// Whether the options of a message could be read.
pub(super) fn is_read(message: &DescriptorProto) -> bool {
    let options = message.options.as_option();
    options.is_none_or(|options| options.uninterpreted_option.is_empty())
}

pub(super) fn is_message_set(message: &DescriptorProto) -> bool {
    message
        .options
        .as_option()
        .is_some_and(|options| options.message_set_wire_format == Some(true))
}

/// No two fields of a message have one number.
fn check_numbers_differ(
    file: &File<'_>,
    message: &Element<'_, DescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let mut first_with: HashMap<i32, (&str, Vec<i32>)> = HashMap::new();
    for (index, field) in numbered(&message.item.field) {
        let number = field.number.unwrap_or_default();
        let name = field.name.as_deref().unwrap_or_default();
        let path = below(
            &message.path,
            &[tag::message::FIELD, index, tag::field::NUMBER],
        );
        if let Some((first, first_path)) = first_with.get(&number) {
            let mistake = file
                .mistake(
                    &path,
                    &join(&message.name, Some(name)),
                    format!("`{first}` and `{name}` have the same number {number}"),
                )
                .and_at(file.span(first_path), "first used here")
                .help("take another number: it is how a reader tells fields apart");
            mistakes.push(mistake);
        } else {
            first_with.insert(number, (name, path));
        }
    }
}

/// A `oneof` has fields, and they stand together.
fn check_oneofs(
    file: &File<'_>,
    message: &Element<'_, DescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let fields = message.item.field.iter();
    let used: HashSet<i32> = fields.filter_map(|field| field.oneof_index).collect();
    for (index, oneof) in numbered(&message.item.oneof_decl) {
        let path = below(&message.path, &[tag::message::ONEOF, index, tag::NAME]);
        if !used.contains(&index) {
            let name = oneof.name.as_deref().unwrap_or_default();
            let mistake = file.mistake(
                &path,
                &join(&message.name, Some(name)),
                "a `oneof` must have at least one field",
            );
            mistakes.push(mistake.help("add a field, or remove the `oneof`"));
        }
    }
}

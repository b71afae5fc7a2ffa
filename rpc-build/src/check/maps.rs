//! Maps, and what only looks like one.

use buffa_descriptor::generated::descriptor::DescriptorProto;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::Label;

use super::{File, Index};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, join, last, numbered, scope};
use crate::load::is_map_key;
use crate::tag;

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        check_option(file, message, mistakes);
        for (at, field) in numbered(&message.item.field) {
            let entry = field
                .type_name
                .as_deref()
                .and_then(|name| index.message(name));
            let Some((entry, _)) = entry.filter(|(entry, _)| is_entry(entry)) else {
                continue;
            };
            let path = below(&message.path, &[tag::message::FIELD, at]);
            let name = join(&message.name, field.name.as_deref());
            let is_own = field
                .type_name
                .as_deref()
                .is_some_and(|entry| is_entry_of(entry, &name));
            if !is_own || field.label != Some(Label::LABEL_REPEATED) {
                let type_path = below(&path, &[tag::field::TYPE_NAME]);
                let mistake = file.mistake(
                    &type_path,
                    &name,
                    "the entry of another map is no type for a field",
                );
                mistakes.push(mistake.help("declare a message with the same fields"));
                continue;
            }
            check_key(file, entry, &path, &name, mistakes);
            check_value(file, index, entry, &path, &name, mistakes);
        }
    }
}

pub(super) fn is_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_option()
        .is_some_and(|options| options.map_entry == Some(true))
}

/// The entry of `a.B.foo_bar` is `.a.B.FooBarEntry`.
fn is_entry_of(entry: &str, field: &str) -> bool {
    entry.strip_prefix('.')
        == Some(&format!(
            "{}.{}Entry",
            scope(field),
            entry_name(last(field))
        ))
}

/// The name of a field as the name of its entry begins (`MapEntryName` in `parser.cc`): `foo_bar` is `FooBar`.
fn entry_name(field: &str) -> String {
    let mut is_upper = true;
    let letters = field.chars().filter_map(|letter| match letter {
        '_' => {
            is_upper = true;
            None
        }
        _ => Some(match std::mem::take(&mut is_upper) {
            true => letter.to_ascii_uppercase(),
            false => letter,
        }),
    });
    letters.collect()
}

/// `map_entry` is how a descriptor says that a message was made for a `map`. Nobody writes it.
fn check_option(
    file: &File<'_>,
    message: &Element<'_, DescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let is_set = message
        .item
        .options
        .as_option()
        .is_some_and(|options| options.map_entry.is_some());
    let path = below(
        &message.path,
        &[tag::message::OPTIONS, tag::message_options::MAP_ENTRY],
    );
    // A message made for a `map` has no text of its own; in a descriptor set there is no telling.
    if is_set && file.locations.has(&path) {
        let mistake = file.mistake(&path, &message.name, "`map_entry` cannot be set by hand");
        mistakes.push(mistake.help("write a field `map<KeyType, ValueType>`"));
    }
}

fn check_key(
    file: &File<'_>,
    entry: &DescriptorProto,
    path: &[i32],
    name: &str,
    mistakes: &mut Vec<Diagnostic>,
) {
    if entry.field.first().is_some_and(|key| !is_map_key(key)) {
        let path = below(path, &[tag::field::TYPE_NAME]);
        let mistake = file.mistake(
            &path,
            name,
            "the key of a `map` must be an integer, a `bool` or a `string`",
        );
        mistakes.push(mistake.help("use such a type, or a repeated message with two fields"));
    }
}

/// A value that is missing on the wire is the zero of its enum. And in proto3 that enum must be of proto3.
fn check_value(
    file: &File<'_>,
    index: &Index<'_>,
    entry: &DescriptorProto,
    path: &[i32],
    name: &str,
    mistakes: &mut Vec<Diagnostic>,
) {
    let Some(type_name) = entry
        .field
        .get(1)
        .and_then(|value| value.type_name.as_deref())
    else {
        return;
    };
    let Some((item, syntax)) = index.enumeration(type_name) else {
        return;
    };
    let path = below(path, &[tag::field::TYPE_NAME]);
    let type_name = type_name.trim_start_matches('.');
    if item
        .value
        .first()
        .is_some_and(|first| first.number.unwrap_or_default() != 0)
    {
        let mistake = file.mistake(
            &path,
            name,
            format!("the enum `{type_name}` in a `map` must begin with a value for 0"),
        );
        mistakes.push(mistake.help("put one first: it is what an entry without a value means"));
    }
    if file.is_proto3() && syntax == super::Syntax::Proto2 {
        let mistake = file.mistake(
            &path,
            name,
            format!("the proto2 enum `{type_name}` is used in proto3"),
        );
        mistakes.push(mistake.help("declare the enum in a proto3 file"));
    }
}

//! Extensions, the messages that have them, and message sets.

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{DescriptorProto, FieldDescriptorProto};

use super::fields::is_message_set;
use super::json::json_name;
use super::{File, Index, Syntax};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below};
use crate::load::is_embedded;
use crate::source::Span;
use crate::tag;

/// The messages that a proto3 file may extend: those of options.
const OPTIONS: [&str; 11] = [
    ".google.protobuf.FileOptions",
    ".google.protobuf.MessageOptions",
    ".google.protobuf.FieldOptions",
    ".google.protobuf.OneofOptions",
    ".google.protobuf.ExtensionRangeOptions",
    ".google.protobuf.EnumOptions",
    ".google.protobuf.EnumValueOptions",
    ".google.protobuf.ServiceOptions",
    ".google.protobuf.MethodOptions",
    ".google.protobuf.StreamOptions",
    ".google.protobuf.SourceOptions",
];

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        check_ranges(file, message, mistakes);
        check_set(file, message, mistakes);
    }
    for extension in &file.elements.extensions {
        check_extension(file, index, extension, mistakes);
    }
}

/// Only messages of proto2 leave numbers to others.
fn check_ranges(
    file: &File<'_>,
    message: &Element<'_, DescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    if file.is_proto3() && !message.item.extension_range.is_empty() {
        let path = below(&message.path, &[tag::message::EXTENSION_RANGE, 0]);
        let mistake = file.mistake(
            &path,
            &message.name,
            "extension ranges are not allowed in proto3",
        );
        mistakes.push(mistake.help("use a field of `google.protobuf.Any`, or proto2"));
    }
}

/// A message set is nothing but extensions, each of them a message.
fn check_set(
    file: &File<'_>,
    message: &Element<'_, DescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    if !is_message_set(message.item) {
        return;
    }
    let path = below(
        &message.path,
        &[tag::message::OPTIONS, tag::message_options::MESSAGE_SET],
    );
    if file.is_proto3() {
        let mistake = file.mistake(
            &path,
            &message.name,
            "`message_set_wire_format` is not allowed in proto3",
        );
        mistakes.push(mistake.help("remove it"));
    }
    if !message.item.field.is_empty() {
        let path = below(&message.path, &[tag::message::FIELD, 0]);
        let mistake = file.mistake(
            &path,
            &message.name,
            "a message set has no fields, only extensions",
        );
        mistakes.push(mistake.help("make the field an extension of a message type"));
    }
}

fn check_extension(
    file: &File<'_>,
    index: &Index<'_>,
    extension: &Element<'_, FieldDescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let item = extension.item;
    let extendee = item.extendee.as_deref().unwrap_or_default();
    if item.label == Some(Label::LABEL_REQUIRED) {
        let path = below(&extension.path, &[tag::field::LABEL]);
        let mistake = file.mistake(&path, &extension.name, "an extension cannot be `required`");
        mistakes.push(
            mistake.help(
                "write `optional`: readers that do not know the extension could not fill it in",
            ),
        );
    }
    let default = json_name(item.name.as_deref().unwrap_or_default());
    if item.json_name.as_ref().is_some_and(|name| *name != default) {
        let path = below(&extension.path, &[tag::field::JSON_NAME]);
        let mistake = file.mistake(&path, &extension.name, "an extension has no `json_name`");
        mistakes
            .push(mistake.help("remove it: in JSON an extension has its full name in brackets"));
    }
    if file.is_proto3() && !OPTIONS.contains(&extendee) {
        let path = below(&extension.path, &[tag::field::EXTENDEE]);
        let text = format!(
            "a proto3 file cannot extend `{}`",
            extendee.trim_start_matches('.')
        );
        let mistake = file.mistake(&path, &extension.name, text);
        mistakes.push(
            mistake
                .note("it may only add options to `google.protobuf.*Options`")
                .help("write the extension in a proto2 file"),
        );
    }
    let is_in_set = index
        .message(extendee)
        .is_some_and(|(message, _)| is_message_set(message));
    let number = item.number.unwrap_or_default();
    let is_declared = |(message, _): (&DescriptorProto, Syntax)| {
        let ranges = message.extension_range.iter();
        let mut ranges = ranges.map(|it| it.start.unwrap_or_default()..it.end.unwrap_or_default());
        ranges.any(|range| range.contains(&number))
    };
    // Of others the linker knows it.
    if is_in_set && !index.message(extendee).is_some_and(is_declared) {
        let path = below(&extension.path, &[tag::field::NUMBER]);
        let extendee = extendee.trim_start_matches('.');
        let text =
            format!("message `{extendee}` does not define `{number}` as an extension number");
        let mistake = file.mistake(&path, &extension.name, text);
        mistakes.push(mistake.help("take a number of its ranges"));
    }
    if is_in_set
        && (item.label != Some(Label::LABEL_OPTIONAL) || item.r#type != Some(Type::TYPE_MESSAGE))
    {
        let path = below(&extension.path, &[tag::field::TYPE]);
        let mistake = file.mistake(
            &path,
            &extension.name,
            "an extension of a message set must be one optional message",
        );
        mistakes.push(mistake.help("write `optional` and the name of a message"));
    }
}

/// No two extensions of a message have one number, in whatever files they are.
pub(super) fn check_numbers(files: &[File<'_>], mistakes: &mut Vec<Diagnostic>) {
    let mut first_with: HashMap<(&str, i32), (&str, Option<Span>)> = HashMap::new();
    for file in files
        .iter()
        .filter(|file| file.syntax != Syntax::Edition && !is_embedded(file.name()))
    {
        for extension in &file.elements.extensions {
            let extendee = extension.item.extendee.as_deref().unwrap_or_default();
            let number = extension.item.number.unwrap_or_default();
            let path = below(&extension.path, &[tag::field::NUMBER]);
            if let Some((other, span)) = first_with.get(&(extendee, number)) {
                let (name, extendee) = (&extension.name, extendee.trim_start_matches('.'));
                let mistake = file
                    .mistake(&path, name, format!("the extensions `{other}` and `{name}` of `{extendee}` have the same number {number}"))
                    .and_at(span.clone(), "first used here")
                    .help("take another number of the range");
                mistakes.push(mistake);
            } else {
                first_with.insert((extendee, number), (&extension.name, file.span(&path)));
            }
        }
    }
}

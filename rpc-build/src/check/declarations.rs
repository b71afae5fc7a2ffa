//! Extension ranges that say which extensions they are for (`declaration`, `verification`).

use std::collections::HashSet;

use buffa_descriptor::generated::descriptor::descriptor_proto::ExtensionRange;
use buffa_descriptor::generated::descriptor::extension_range_options::{
    Declaration, VerificationState,
};
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{DescriptorProto, FieldDescriptorProto};

use super::{File, Index};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, numbered};
use crate::tag;

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        let mut names = HashSet::new();
        for (at, range) in numbered(&message.item.extension_range) {
            let path = below(&message.path, &[tag::message::EXTENSION_RANGE, at]);
            for (text, help) in wrong_declarations(range, &mut names) {
                mistakes.push(file.mistake(&path, &message.name, text).help(help));
            }
        }
    }
    for extension in &file.elements.extensions {
        let extendee = extension.item.extendee.as_deref().unwrap_or_default();
        if let Some((message, _)) = index.message(extendee) {
            check_extension(file, message, extension, mistakes);
        }
    }
}

/// Each declaration is for one number of its range, and names the extension and its type or says that there will be none.
fn wrong_declarations<'a>(
    range: &'a ExtensionRange,
    names: &mut HashSet<&'a str>,
) -> Vec<(String, &'static str)> {
    let mut wrong = Vec::new();
    let Some(options) = range.options.as_option() else {
        return wrong;
    };
    if !options.declaration.is_empty()
        && options.verification == Some(VerificationState::UNVERIFIED)
    {
        let text = "a range with declarations cannot be `UNVERIFIED`".to_owned();
        wrong.push((text, "remove `verification`, or the declarations"));
    }
    let mut numbers = HashSet::new();
    for declaration in &options.declaration {
        let number = declaration.number.unwrap_or_default();
        if !(range.start.unwrap_or_default()..range.end.unwrap_or_default()).contains(&number) {
            wrong.push((
                format!("the declared number {number} is not in the range"),
                "declare it in its own range",
            ));
        }
        if !numbers.insert(number) {
            wrong.push((
                format!("the number {number} is declared twice"),
                "remove one of the two",
            ));
        }
        wrong.extend(incomplete(declaration, number));
        let name = declaration.full_name.as_deref();
        wrong.extend(name.and_then(|name| wrong_name(name, names)));
        let name = declaration.r#type.as_deref();
        if let Some(name) = name.filter(|it| !(it.starts_with('.') || SCALARS.contains(it))) {
            wrong.push((
                format!("the declared type `{name}` has no dot in front"),
                "write the full name with a dot in front",
            ));
        }
    }
    wrong
}

fn incomplete(declaration: &Declaration, number: i32) -> Option<(String, &'static str)> {
    let has = [
        declaration.full_name.is_some(),
        declaration.r#type.is_some(),
    ];
    match (declaration.reserved == Some(true), has) {
        (true, [true, false] | [false, true]) => Some((
            format!("the reserved declaration {number} has only one of `full_name` and `type`"),
            "write both, or neither",
        )),
        (false, [false, _] | [_, false]) => Some((
            format!("the declaration {number} needs `full_name` and `type`"),
            "write both, or `reserved: true`",
        )),
        _ => None,
    }
}

fn wrong_name<'a>(name: &'a str, names: &mut HashSet<&'a str>) -> Option<(String, &'static str)> {
    if !names.insert(name) {
        return Some((
            format!("the extension `{name}` is declared twice"),
            "remove one of the two",
        ));
    }
    if !name.starts_with('.') {
        return Some((
            format!("the declared name `{name}` has no dot in front"),
            "write the full name with a dot in front",
        ));
    }
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let is_name = name[1..].split('.').all(is_identifier);
    (!is_name).then(|| {
        (
            format!("the declared name `{name}` is not a name"),
            "write letters, digits and underscores",
        )
    })
}

/// An extension must be what its range declares.
fn check_extension(
    file: &File<'_>,
    message: &DescriptorProto,
    extension: &Element<'_, FieldDescriptorProto>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let item = extension.item;
    let number = item.number.unwrap_or_default();
    let has = |range: &&ExtensionRange| {
        (range.start.unwrap_or_default()..range.end.unwrap_or_default()).contains(&number)
    };
    let Some(options) = message
        .extension_range
        .iter()
        .find(has)
        .and_then(|range| range.options.as_option())
    else {
        return;
    };
    let text = match options
        .declaration
        .iter()
        .find(|declaration| declaration.number == Some(number))
    {
        Some(declaration) => difference(declaration, item, &extension.name),
        None if !options.declaration.is_empty()
            || options.verification == Some(VerificationState::DECLARATION) =>
        {
            Some(format!(
                "the number {number} of `{}` is not declared in its range",
                extension.name
            ))
        }
        None => None,
    };
    if let Some(text) = text {
        let path = below(&extension.path, &[tag::field::EXTENDEE]);
        mistakes.push(
            file.mistake(&path, &extension.name, text)
                .help("declare the extension in its range as it is here"),
        );
    }
}

fn difference(
    declaration: &Declaration,
    item: &FieldDescriptorProto,
    name: &str,
) -> Option<String> {
    let number = item.number.unwrap_or_default();
    if declaration.reserved == Some(true) {
        return Some(format!(
            "the number {number} is reserved in the declarations of its range"
        ));
    }
    let full_name = declaration.full_name.as_deref().unwrap_or_default();
    if full_name != format!(".{name}") {
        return Some(format!(
            "the number {number} is declared for `{full_name}`, not for `.{name}`"
        ));
    }
    let found = item
        .type_name
        .as_deref()
        .or(item.r#type.and_then(scalar))
        .unwrap_or_default();
    let declared = declaration.r#type.as_deref().unwrap_or_default();
    if declared != found {
        return Some(format!(
            "`{name}` is declared as `{declared}`, not as `{found}`"
        ));
    }
    let is_repeated = item.label == Some(Label::LABEL_REPEATED);
    let words = |is_repeated| if is_repeated { "repeated" } else { "optional" };
    (declaration.repeated.unwrap_or_default() != is_repeated).then(|| {
        format!(
            "`{name}` is declared as {}, not as {}",
            words(!is_repeated),
            words(is_repeated)
        )
    })
}

const SCALARS: [&str; 15] = [
    "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes",
    "uint32", "sfixed32", "sfixed64", "sint32", "sint64",
];

/// The keyword of a type that has one.
fn scalar(kind: Type) -> Option<&'static str> {
    let name = match kind {
        Type::TYPE_DOUBLE => "double",
        Type::TYPE_FLOAT => "float",
        Type::TYPE_INT64 => "int64",
        Type::TYPE_UINT64 => "uint64",
        Type::TYPE_INT32 => "int32",
        Type::TYPE_FIXED64 => "fixed64",
        Type::TYPE_FIXED32 => "fixed32",
        Type::TYPE_BOOL => "bool",
        Type::TYPE_STRING => "string",
        Type::TYPE_BYTES => "bytes",
        Type::TYPE_UINT32 => "uint32",
        Type::TYPE_SFIXED32 => "sfixed32",
        Type::TYPE_SFIXED64 => "sfixed64",
        Type::TYPE_SINT32 => "sint32",
        Type::TYPE_SINT64 => "sint64",
        Type::TYPE_GROUP | Type::TYPE_MESSAGE | Type::TYPE_ENUM => return None,
    };
    Some(name)
}

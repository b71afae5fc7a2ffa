//! Default values.

use buffa_descriptor::generated::descriptor::FieldDescriptorProto;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};

use super::{File, Index};
use crate::diagnostic::Diagnostic;
use crate::elements::{below, join, numbered};
use crate::tag;

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        for (at, field) in numbered(&message.item.field) {
            let path = below(
                &message.path,
                &[tag::message::FIELD, at, tag::field::DEFAULT],
            );
            let wrong = wrong(file, index, field);
            mistakes.extend(wrong.map(|wrong| {
                wrong
                    .at(file.span(&path), "")
                    .within(join(&message.name, field.name.as_deref()))
            }));
        }
    }
    for extension in &file.elements.extensions {
        let path = below(&extension.path, &[tag::field::DEFAULT]);
        let wrong = wrong(file, index, extension.item);
        mistakes.extend(wrong.map(|wrong| wrong.at(file.span(&path), "").within(&extension.name)));
    }
}

/// What is wrong with the default of a field. Whether a number fits its type was seen by the parser.
fn wrong(file: &File<'_>, index: &Index<'_>, field: &FieldDescriptorProto) -> Option<Diagnostic> {
    let value = field.default_value.as_deref()?;
    if file.is_proto3() {
        let mistake = Diagnostic::error("default values are not allowed in proto3");
        return Some(
            mistake.help("leave `default` out: every proto3 field has the default of its type"),
        );
    }
    if field.label == Some(Label::LABEL_REPEATED) {
        let mistake = Diagnostic::error("a repeated field has no default value");
        return Some(mistake.help("leave `default` out: the field is empty at first"));
    }
    match field.r#type {
        Some(Type::TYPE_MESSAGE | Type::TYPE_GROUP) => {
            let mistake = Diagnostic::error("a field of a message has no default value");
            Some(mistake.help("leave `default` out"))
        }
        Some(Type::TYPE_ENUM) => {
            let name = field.type_name.as_deref()?;
            let (item, _) = index.enumeration(name)?;
            let names: Vec<_> = item
                .value
                .iter()
                .filter_map(|value| value.name.as_deref())
                .collect();
            if names.contains(&value) {
                return None;
            }
            let some = names
                .iter()
                .take(3)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let mistake = Diagnostic::error(format!(
                "`{value}` is not a value of the enum `{}`",
                name.trim_start_matches('.')
            ));
            Some(mistake.help(format!("write the name of a value, such as {some}")))
        }
        _ => None,
    }
}

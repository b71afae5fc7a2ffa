//! Messages that stand for the entries of maps.

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{DescriptorProto, FieldDescriptorProto};

use super::broken;
use crate::diagnostic::Diagnostic;
use crate::elements::{Elements, is_map_entry, join, scope};

/// Each entry is in the message with its map, which is the only field that has its type, and consists of a key and a value.
pub(super) fn check(elements: &Elements<'_>, mistakes: &mut Vec<Diagnostic>) {
    let mut maps: HashMap<&str, usize> = HashMap::new();
    let extensions = elements.extensions.iter().map(|it| ("", it.item));
    let fields = elements.messages.iter().flat_map(|message| {
        let fields = message.item.field.iter();
        fields.map(|field| (message.name.as_str(), field))
    });
    let all: Vec<_> = fields.chain(extensions).collect();
    for (message, field) in &all {
        let name = field.type_name.as_deref().unwrap_or_default();
        let name = name.trim_start_matches('.');
        let is_map = scope(name) == *message && field.label == Some(Label::LABEL_REPEATED);
        *maps.entry(name).or_default() += match is_map {
            true => 1,
            false => 2,
        };
    }
    for message in &elements.messages {
        if !is_map_entry(message.item) {
            continue;
        }
        if maps.get(message.name.as_str()) != Some(&1) {
            let text = "the message is the entry of a map, and not the type of one repeated field beside it";
            mistakes.push(broken(text, &message.name));
        }
        if let Some(text) = wrong_entry(message.item) {
            mistakes.push(broken(text, &message.name));
        }
        for field in &message.item.field {
            if field.default_value.is_some() {
                let name = join(&message.name, field.name.as_deref());
                mistakes.push(broken(
                    "neither key nor value of a map has a default",
                    &name,
                ));
            }
        }
    }
}

fn wrong_entry(message: &DescriptorProto) -> Option<&'static str> {
    let is_plain = message.nested_type.is_empty()
        && message.enum_type.is_empty()
        && message.extension.is_empty()
        && message.extension_range.is_empty()
        && message.oneof_decl.is_empty();
    let [key, value] = message.field.as_slice() else {
        return Some("the entry of a map has not two fields, a key and a value");
    };
    let is = |field: &FieldDescriptorProto, name: &str, number: i32| {
        field.name.as_deref() == Some(name)
            && field.number == Some(number)
            && !matches!(
                field.label,
                Some(Label::LABEL_REPEATED | Label::LABEL_REQUIRED)
            )
    };
    if !(is_plain && is(key, "key", 1) && is(value, "value", 2)) {
        return Some(
            "the entry of a map is not a field `key = 1`, a field `value = 2` and nothing else",
        );
    }
    if value.r#type == Some(Type::TYPE_GROUP) {
        return Some("the value of a map is no group");
    }
    (!is_map_key(key)).then_some("the key of a map must be an integer, a `bool` or a `string`")
}

/// Says whether a field may be the key of a map: it can be compared, and written in one way only.
pub(crate) fn is_map_key(field: &FieldDescriptorProto) -> bool {
    !matches!(
        field.r#type,
        Some(
            Type::TYPE_DOUBLE
                | Type::TYPE_FLOAT
                | Type::TYPE_BYTES
                | Type::TYPE_MESSAGE
                | Type::TYPE_GROUP
                | Type::TYPE_ENUM
        )
    )
}

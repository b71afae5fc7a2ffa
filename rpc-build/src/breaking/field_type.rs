//! The type of a field: the same, or one that can be read as the other.

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

use super::Pair;
use super::field::FieldPair;
use super::index::In;
use crate::lock::{Enum, Field, type_text};

pub(super) fn check<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (field.old.it, field.new.it);
    let other_name = old.type_name != new.type_name;
    if old.kind != new.kind || (is_named(new) && other_name) {
        add(pair, field, "FIELD_SAME_TYPE", "");
    }
    // Two types of one kind with different names are only the same to a reader if they are enums that agree.
    let other_named = is_named(new)
        && other_name
        && !(new.kind == Type::TYPE_ENUM && is_extended_enum(pair, old, new));
    if wire_group(old.kind) == wire_group(new.kind) {
        if other_named {
            add(pair, field, "FIELD_WIRE_COMPATIBLE_TYPE", "");
        }
    } else if (old.kind, new.kind) == (Type::TYPE_BYTES, Type::TYPE_STRING) {
        add(
            pair,
            field,
            "FIELD_WIRE_COMPATIBLE_TYPE",
            "nothing makes sure that the bytes are UTF-8, and a `string` has to be",
        );
    } else if (old.kind, new.kind) != (Type::TYPE_STRING, Type::TYPE_BYTES) {
        add(pair, field, "FIELD_WIRE_COMPATIBLE_TYPE", "");
    }
    if json_group(old.kind) != json_group(new.kind) || other_named {
        add(pair, field, "FIELD_WIRE_JSON_COMPATIBLE_TYPE", "");
    }
}

/// What a reader of the binary form can take for each other: <https://protobuf.dev/programming-guides/proto3/#updating>.
/// `string` may become `bytes`, which is looked at apart. An enum may hold numbers that the other side does not know.
fn wire_group(kind: Type) -> u8 {
    match kind {
        Type::TYPE_INT32
        | Type::TYPE_INT64
        | Type::TYPE_UINT32
        | Type::TYPE_UINT64
        | Type::TYPE_BOOL => 1,
        Type::TYPE_SINT32 | Type::TYPE_SINT64 => 2,
        Type::TYPE_STRING => 3,
        Type::TYPE_BYTES => 4,
        Type::TYPE_FIXED32 | Type::TYPE_SFIXED32 => 5,
        Type::TYPE_FIXED64 | Type::TYPE_SFIXED64 => 6,
        Type::TYPE_DOUBLE => 7,
        Type::TYPE_FLOAT => 8,
        Type::TYPE_GROUP => 9,
        Type::TYPE_MESSAGE => 10,
        Type::TYPE_ENUM => 11,
    }
}

/// The same for readers of the binary form and of JSON, where 64 bits are a string.
fn json_group(kind: Type) -> u8 {
    match kind {
        Type::TYPE_INT32 | Type::TYPE_UINT32 => 1,
        Type::TYPE_INT64 | Type::TYPE_UINT64 => 2,
        Type::TYPE_FIXED32 | Type::TYPE_SFIXED32 => 3,
        Type::TYPE_FIXED64 | Type::TYPE_SFIXED64 => 4,
        Type::TYPE_BOOL => 5,
        Type::TYPE_SINT32 => 6,
        Type::TYPE_SINT64 => 7,
        Type::TYPE_STRING => 8,
        Type::TYPE_BYTES => 9,
        Type::TYPE_DOUBLE => 10,
        Type::TYPE_FLOAT => 11,
        Type::TYPE_GROUP => 12,
        Type::TYPE_MESSAGE => 13,
        Type::TYPE_ENUM => 14,
    }
}

fn is_named(field: &Field) -> bool {
    matches!(
        field.kind,
        Type::TYPE_ENUM | Type::TYPE_MESSAGE | Type::TYPE_GROUP
    )
}

/// Whether the new enum is the old one in another place: the same short name, and every old value with its number.
fn is_extended_enum(pair: &Pair<'_>, old: &Field, new: &Field) -> bool {
    let find = |name: &str| name.trim_start_matches('.').to_owned();
    let old = pair.old.enums.get(&find(&old.type_name));
    let new = pair.new.enums.get(&find(&new.type_name));
    let (Some(In { it: old, .. }), Some(In { it: new, .. })) = (old, new) else {
        return false;
    };
    let short = |enumeration: &'_ Enum| enumeration.name.rsplit('.').next().map(str::to_owned);
    let is_kept = |name: &str, number| {
        new.values
            .iter()
            .any(|value| value.name == name && value.number == number)
    };
    short(old) == short(new)
        && old
            .values
            .iter()
            .all(|value| is_kept(&value.name, value.number))
}

fn add<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>, rule: &'static str, remark: &str) {
    let (old, new) = (type_text(field.old.it), type_text(field.new.it));
    let (old, new) = (old.replace(" .", " "), new.replace(" .", " "));
    let (was, is) = (old.trim_start_matches('.'), new.trim_start_matches('.'));
    let part: &[i32] = if is_named(field.new.it) { &[6] } else { &[5] };
    let what = format!("changed its type from `{was}` to `{is}`");
    let mut found = field.breaks(rule, &what, &[part, &[]], format!("was `{was}`"));
    if !remark.is_empty() {
        found = found.help(remark);
    }
    found = match rule {
        "FIELD_WIRE_COMPATIBLE_TYPE" => found.help(compatible(field.old.it.kind, wire_group)),
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE" => found.help(compatible(field.old.it.kind, json_group)),
        _ => found,
    };
    pair.add(found.help(format!(
        "keep `{was}` and add a field of the new type with a new number; when nobody uses the old one any more, {}",
        pair.reserve_hint(field.declared())
    )));
}

/// Which types the field could have had.
fn compatible(kind: Type, group: fn(Type) -> u8) -> String {
    let same: Vec<_> = crate::lock::SCALARS
        .iter()
        .filter(|(other, _)| *other != kind && group(*other) == group(kind))
        .map(|(_, word)| format!("`{word}`"))
        .collect();
    match same.as_slice() {
        [] => "no other type can be read as this one".to_owned(),
        same => format!("only these can be read as this one: {}", same.join(", ")),
    }
}

//! What protoc would not have written.

use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, MethodDescriptorProto, OneofDescriptorProto,
    ServiceDescriptorProto,
};

/// Something that has a name, and what else may be wrong with it.
pub(crate) enum Part<'a> {
    File(&'a mut FileDescriptorProto),
    Message(&'a mut DescriptorProto),
    Field(&'a mut FieldDescriptorProto),
    Oneof(&'a mut OneofDescriptorProto),
    Enum(&'a mut EnumDescriptorProto),
    Value(&'a mut EnumValueDescriptorProto),
    Service(&'a mut ServiceDescriptorProto),
    Method(&'a mut MethodDescriptorProto),
}

pub(crate) fn in_file(file: &mut FileDescriptorProto, visit: &mut dyn FnMut(Part<'_>)) {
    visit(Part::File(file));
    for message in &mut file.message_type {
        in_message(message, visit);
    }
    for item in &mut file.enum_type {
        in_enum(item, visit);
    }
    for field in &mut file.extension {
        visit(Part::Field(field));
    }
    for service in &mut file.service {
        for method in &mut service.method {
            visit(Part::Method(method));
        }
        visit(Part::Service(service));
    }
}

fn in_message(message: &mut DescriptorProto, visit: &mut dyn FnMut(Part<'_>)) {
    visit(Part::Message(message));
    for field in message.field.iter_mut().chain(&mut message.extension) {
        visit(Part::Field(field));
    }
    for oneof in &mut message.oneof_decl {
        visit(Part::Oneof(oneof));
    }
    for item in &mut message.enum_type {
        in_enum(item, visit);
    }
    for nested in &mut message.nested_type {
        in_message(nested, visit);
    }
}

fn in_enum(item: &mut EnumDescriptorProto, visit: &mut dyn FnMut(Part<'_>)) {
    for value in &mut item.value {
        visit(Part::Value(value));
    }
    visit(Part::Enum(item));
}

/// Names that nobody can write, names that mean something in Rust, and names that others have.
const NAMES: [&str; 24] = [
    "",
    ".",
    "a b",
    "a..b",
    ".a",
    "a.",
    "1a",
    "a-b",
    "ä",
    "😀",
    "\0",
    "\n",
    "a/../../b",
    "\"",
    "r#type",
    "type",
    "self",
    "Self",
    "_",
    "__buffa",
    "A",
    "text",
    "x",
    "google.protobuf",
];

/// Names of types, and what looks like one.
const TYPES: [&str; 12] = [
    "",
    ".",
    "..",
    "A",
    "x.A",
    ".x.A",
    ".x.E",
    ".x.A.text",
    ".x.A.MapEntry",
    ".x",
    ".x.missing",
    ".x.A.",
];

/// Numbers at the ends of what is allowed.
const NUMBERS: [i32; 11] = [
    i32::MIN,
    -1,
    0,
    1,
    2,
    3,
    105,
    19_000,
    536_870_911,
    536_870_912,
    i32::MAX,
];

const DEFAULTS: [&str; 12] = [
    "",
    "1",
    "-1",
    "99999999999999999999",
    "1.5",
    "true",
    "inf",
    "infinity",
    "\\",
    "\\x",
    "Y",
    "a b",
];

fn pick<T: Copy>(random: &mut fastrand::Rng, all: &[T]) -> T {
    all[random.usize(..all.len())]
}

/// One thing that protoc would not have written, most of the time.
pub(crate) fn change(part: Part<'_>, random: &mut fastrand::Rng) {
    let name = Some(pick(random, &NAMES).to_owned());
    match part {
        Part::File(file) => match random.u8(..5) {
            0 => file.package = name,
            1 => {
                file.syntax =
                    Some(pick(random, &["", "proto2", "proto3", "editions", "proto4"]).to_owned())
            }
            2 => file.public_dependency.push(pick(random, &NUMBERS)),
            3 => file.dependency.push(pick(random, &NAMES).to_owned()),
            _ => file.name = name,
        },
        Part::Message(message) => change_message(message, name, random),
        Part::Field(field) => change_field(field, name, random),
        Part::Oneof(oneof) => oneof.name = name,
        Part::Enum(item) => match random.u8(..3) {
            0 => item.value.clear(),
            1 => item.value.extend(item.value.first().cloned()),
            _ => item.name = name,
        },
        Part::Value(value) => match random.bool() {
            true => value.number = Some(pick(random, &NUMBERS)),
            false => value.name = name,
        },
        Part::Service(service) => match random.bool() {
            true => service.method.extend(service.method.first().cloned()),
            false => service.name = name,
        },
        Part::Method(method) => match random.u8(..3) {
            0 => method.input_type = Some(pick(random, &TYPES).to_owned()),
            1 => method.output_type = None,
            _ => method.name = name,
        },
    }
}

fn change_message(message: &mut DescriptorProto, name: Option<String>, random: &mut fastrand::Rng) {
    match random.u8(..7) {
        0 => message.oneof_decl.clear(),
        1 => {
            message.options = buffa::MessageField::some(MessageOptions {
                map_entry: Some(random.bool()),
                ..MessageOptions::default()
            });
        }
        2 => drop(message.field.pop()),
        3 => message.field.extend(message.field.first().cloned()),
        4 => message.nested_type.clear(),
        5 => {
            for range in &mut message.extension_range {
                range.start = Some(pick(random, &NUMBERS));
                range.end = Some(pick(random, &NUMBERS));
            }
        }
        _ => message.name = name,
    }
}

fn change_field(
    field: &mut FieldDescriptorProto,
    name: Option<String>,
    random: &mut fastrand::Rng,
) {
    const KINDS: [Option<Type>; 8] = [
        None,
        Some(Type::TYPE_MESSAGE),
        Some(Type::TYPE_GROUP),
        Some(Type::TYPE_ENUM),
        Some(Type::TYPE_INT32),
        Some(Type::TYPE_STRING),
        Some(Type::TYPE_BYTES),
        Some(Type::TYPE_FLOAT),
    ];
    const LABELS: [Option<Label>; 4] = [
        None,
        Some(Label::LABEL_OPTIONAL),
        Some(Label::LABEL_REPEATED),
        Some(Label::LABEL_REQUIRED),
    ];
    match random.u8(..10) {
        0 => field.number = Some(pick(random, &NUMBERS)),
        1 => field.oneof_index = Some(pick(random, &NUMBERS)),
        2 => field.proto3_optional = Some(true),
        3 => field.r#type = pick(random, &KINDS),
        4 => field.label = pick(random, &LABELS),
        5 => field.type_name = Some(pick(random, &TYPES).to_owned()),
        6 => field.type_name = None,
        7 => field.default_value = Some(pick(random, &DEFAULTS).to_owned()),
        8 => field.extendee = Some(pick(random, &TYPES).to_owned()),
        _ => field.name = name,
    }
}

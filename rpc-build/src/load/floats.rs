//! `inf` and `nan` as options: words to the parser, and numbers where the option is one.

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    UninterpretedOption,
};
use prost_reflect::{DescriptorPool, Kind};

use crate::elements::{Elements, join};

/// Makes numbers of these words in a file whose names are resolved.
pub(super) fn read(file: &mut FileDescriptorProto, pool: &DescriptorPool) {
    let mut has_words = false;
    for_each_option(file, &mut |option| has_words |= word(option).is_some());
    if !has_words {
        return;
    }
    let types = Types {
        own: own_fields(file),
        pool,
    };
    for_each_option(file, &mut |option| {
        if let Some(value) = word(option).filter(|_| types.is_float(option)) {
            option.identifier_value = None;
            option.double_value = Some(value);
        }
    });
}

fn word(option: &UninterpretedOption) -> Option<f64> {
    match option.identifier_value.as_deref()? {
        "inf" => Some(f64::INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    }
}

/// What a field holds: a number with a point, a message with fields of its own, or something else.
#[derive(Clone)]
enum Holds {
    Float,
    Message(String),
    Other,
}

/// The extensions and the fields that a file declares itself, by full name.
fn own_fields(file: &FileDescriptorProto) -> HashMap<String, Holds> {
    let elements = Elements::of(file);
    let holds = |field: &FieldDescriptorProto| match field.r#type {
        Some(Type::TYPE_FLOAT | Type::TYPE_DOUBLE) => Holds::Float,
        Some(Type::TYPE_MESSAGE | Type::TYPE_GROUP) => {
            let name = field.type_name.as_deref().unwrap_or_default();
            Holds::Message(name.trim_start_matches('.').to_owned())
        }
        _ => Holds::Other,
    };
    let extensions = elements.extensions.iter();
    let mut own: HashMap<_, _> = extensions
        .map(|it| (it.name.clone(), holds(it.item)))
        .collect();
    for message in &elements.messages {
        let fields = message.item.field.iter();
        own.extend(fields.map(|it| (join(&message.name, it.name.as_deref()), holds(it))));
    }
    own
}

struct Types<'a> {
    own: HashMap<String, Holds>,
    pool: &'a DescriptorPool,
}

impl Types<'_> {
    fn is_float(&self, option: &UninterpretedOption) -> bool {
        let mut message: Option<String> = None;
        for (index, part) in option.name.iter().enumerate() {
            let name = part.name_part.trim_start_matches('.');
            let holds = match (&message, part.is_extension) {
                (_, true) => self.extension(name),
                (Some(message), false) => self.field(message, name),
                // No option of protobuf itself is such a number.
                (None, false) => return false,
            };
            match holds {
                Holds::Float => return index + 1 == option.name.len(),
                Holds::Message(name) => message = Some(name),
                Holds::Other => return false,
            }
        }
        false
    }

    fn extension(&self, name: &str) -> Holds {
        let known = self.own.get(name).cloned();
        known.unwrap_or_else(|| {
            let extension = self.pool.get_extension_by_name(name);
            extension.map_or(Holds::Other, |it| holds(it.kind()))
        })
    }

    fn field(&self, message: &str, name: &str) -> Holds {
        let known = self.own.get(&join(message, Some(name))).cloned();
        known.unwrap_or_else(|| {
            let message = self.pool.get_message_by_name(message);
            let field = message.and_then(|it| it.get_field_by_name(name));
            field.map_or(Holds::Other, |it| holds(it.kind()))
        })
    }
}

fn holds(kind: Kind) -> Holds {
    match kind {
        Kind::Float | Kind::Double => Holds::Float,
        Kind::Message(message) => Holds::Message(message.full_name().to_owned()),
        _ => Holds::Other,
    }
}

type Visit<'a> = &'a mut dyn FnMut(&mut UninterpretedOption);

/// Visits the options of an element.
macro_rules! visit {
    ($item:expr, $visit:ident) => {
        if let Some(options) = $item.options.as_option_mut() {
            options
                .uninterpreted_option
                .iter_mut()
                .for_each(&mut *$visit);
        }
    };
}

fn for_each_option(file: &mut FileDescriptorProto, visit: Visit<'_>) {
    visit!(file, visit);
    file.message_type
        .iter_mut()
        .for_each(|it| in_message(it, visit));
    file.enum_type.iter_mut().for_each(|it| in_enum(it, visit));
    for field in &mut file.extension {
        visit!(field, visit);
    }
    for service in &mut file.service {
        visit!(service, visit);
        for method in &mut service.method {
            visit!(method, visit);
        }
    }
}

fn in_message(message: &mut DescriptorProto, visit: Visit<'_>) {
    visit!(message, visit);
    for field in message.field.iter_mut().chain(&mut message.extension) {
        visit!(field, visit);
    }
    for oneof in &mut message.oneof_decl {
        visit!(oneof, visit);
    }
    for range in &mut message.extension_range {
        visit!(range, visit);
    }
    message
        .enum_type
        .iter_mut()
        .for_each(|it| in_enum(it, visit));
    for nested in &mut message.nested_type {
        in_message(nested, visit);
    }
}

fn in_enum(item: &mut EnumDescriptorProto, visit: Visit<'_>) {
    visit!(item, visit);
    for value in &mut item.value {
        visit!(value, visit);
    }
}

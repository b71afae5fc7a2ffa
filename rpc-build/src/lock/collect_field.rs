//! Fields and extensions into the model of a lock, and the features that other languages have.

use buffa::ExtensionSet;
use buffa::unknown_fields::{UnknownFieldData, UnknownFields};
use buffa_descriptor::features::{
    self, FieldPresence, MessageEncoding, ResolvedFeatures, Utf8Validation,
};
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::field_options::{CType, JSType};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FeatureSet, FieldDescriptorProto, FileDescriptorProto,
};

use super::collect::{Collector, Scope, text};
use super::model::{
    Cardinality, CppString, Field, JsType, Syntax, default_json_name, map_entry_name,
};
use crate::elements::is_map_entry;

/// Features of other languages, resolved for one scope.
#[derive(Clone, Copy)]
pub(super) struct Language {
    /// `(pb.cpp).string_type`.
    cpp_string: CppString,
    /// `(pb.java).utf8_validation = VERIFY`, or the file option `java_string_check_utf8`.
    java_utf8: bool,
    /// The file option decides, whatever the features say.
    java_by_option: bool,
}

impl Language {
    pub(super) fn of_file(file: &FileDescriptorProto, syntax: Syntax) -> Self {
        let options = file.options.as_option();
        let option = options.and_then(|options| options.java_string_check_utf8);
        let edition = matches!(syntax, Syntax::Edition(_));
        let defaults = Self {
            cpp_string: match syntax {
                Syntax::Edition(2024..) => CppString::View,
                _ => CppString::String,
            },
            java_utf8: option.unwrap_or(false),
            java_by_option: !edition || option.is_some(),
        };
        defaults.within(options.and_then(|options| options.features.as_option()))
    }

    /// What holds within an element with these features of its own.
    pub(super) fn within(self, own: Option<&FeatureSet>) -> Self {
        const CPP: u32 = 1000;
        const JAVA: u32 = 1001;
        let Some(own) = own else { return self };
        let cpp_string = match language_feature(own, CPP) {
            Some(1) => CppString::View,
            Some(2) => CppString::Cord,
            Some(3) => CppString::String,
            _ => self.cpp_string,
        };
        let java_utf8 = match language_feature(own, JAVA) {
            Some(feature) if !self.java_by_option => feature == 2,
            _ => self.java_utf8,
        };
        Self {
            cpp_string,
            java_utf8,
            ..self
        }
    }
}

/// The feature that matters here has number 2 in the features of C++ and in those of Java.
fn language_feature(features: &FeatureSet, language: u32) -> Option<u64> {
    const FEATURE: u32 = 2;
    let mut found = None;
    for field in features.unknown_fields().iter() {
        if field.number != language {
            continue;
        }
        if let UnknownFieldData::LengthDelimited(bytes) = &field.data
            && let Ok(features) = UnknownFields::decode_from_slice(bytes)
        {
            for feature in features.iter() {
                if let (FEATURE, UnknownFieldData::Varint(value)) = (feature.number, &feature.data)
                {
                    found = Some(*value);
                }
            }
        }
    }
    found
}

/// A field of a message.
pub(super) fn member(
    collector: &Collector<'_>,
    field: &FieldDescriptorProto,
    message: &DescriptorProto,
    scope: &Scope<'_>,
    path: &[i32],
) -> Field {
    let index = field
        .oneof_index
        .and_then(|index| usize::try_from(index).ok());
    let oneof = index
        .and_then(|index| message.oneof_decl.get(index))
        .filter(|_| !field.proto3_optional.unwrap_or(false));
    let outer = match oneof {
        Some(oneof) => features::resolve_child(&scope.features, features::oneof_features(oneof)),
        None => scope.features,
    };
    let own = features::resolve_child(&outer, features::field_features(field));
    let mut collected = any(collector, field, scope, &own, path);
    collected.oneof = oneof.map(|oneof| text(&oneof.name).to_owned());
    if collected.cardinality == Cardinality::Repeated
        && kind_of(field) == Type::TYPE_MESSAGE
        && has_entry(message, text(&field.name))
    {
        collected.cardinality = Cardinality::Map;
    }
    // Neither a map nor the value of a map is ever delimited, whatever the file says.
    if collected.cardinality == Cardinality::Map || is_map_entry(message) {
        collected.kind = kind_of(field);
    }
    let explicit = oneof.is_some() || field.proto3_optional.unwrap_or(false);
    if collected.cardinality == Cardinality::Implicit && explicit {
        collected.cardinality = Cardinality::Explicit;
    }
    collected
}

/// Whether the compiler made a message for this field, which then is a map.
fn has_entry(message: &DescriptorProto, field: &str) -> bool {
    let name = map_entry_name(field);
    let mut nested = message.nested_type.iter();
    nested.any(|entry| is_map_entry(entry) && text(&entry.name) == name)
}

/// An extension, which stands in a scope but belongs to another message.
pub(super) fn extension(
    collector: &Collector<'_>,
    field: &FieldDescriptorProto,
    scope: &Scope<'_>,
    path: &[i32],
) -> Field {
    let own = features::resolve_child(&scope.features, features::field_features(field));
    let mut collected = any(collector, field, scope, &own, path);
    collected.name = scope.named(text(&field.name));
    collected.extendee = field.extendee.clone();
    if collected.cardinality == Cardinality::Implicit {
        collected.cardinality = Cardinality::Explicit;
    }
    collected
}

fn any(
    collector: &Collector<'_>,
    field: &FieldDescriptorProto,
    scope: &Scope<'_>,
    own: &ResolvedFeatures,
    path: &[i32],
) -> Field {
    let kind = match kind_of(field) {
        Type::TYPE_MESSAGE if own.message_encoding == MessageEncoding::Delimited => {
            Type::TYPE_GROUP
        }
        kind => kind,
    };
    let options = field.options.as_option();
    let language = scope.language.within(features::field_features(field));
    let utf8 = own.utf8_validation == Utf8Validation::Verify;
    Field {
        number: field.number.unwrap_or_default(),
        name: text(&field.name).to_owned(),
        json_name: match field.json_name.as_deref() {
            Some(name) => name.to_owned(),
            None => default_json_name(text(&field.name)),
        },
        kind,
        type_name: text(&field.type_name).to_owned(),
        cardinality: cardinality(field.label, own.field_presence, kind),
        oneof: None,
        default: default(collector, field),
        jstype: jstype(options.and_then(|options| options.jstype)),
        cpp_string: cpp_string(
            collector,
            options.and_then(|options| options.ctype),
            language,
        ),
        utf8,
        java_utf8: language.java_utf8 || utf8,
        extendee: None,
        at: collector.at(path),
    }
}

/// As the label and the features have it, before a oneof or a map are looked at.
fn cardinality(label: Option<Label>, presence: FieldPresence, kind: Type) -> Cardinality {
    match (label.unwrap_or(Label::LABEL_OPTIONAL), presence) {
        (Label::LABEL_REPEATED, _) => Cardinality::Repeated,
        (Label::LABEL_REQUIRED, _) => Cardinality::Required,
        (_, FieldPresence::LegacyRequired) => Cardinality::LegacyRequired,
        (_, FieldPresence::Implicit) if !is_message(kind) => Cardinality::Implicit,
        _ => Cardinality::Explicit,
    }
}

fn jstype(jstype: Option<JSType>) -> JsType {
    match jstype {
        Some(JSType::JS_STRING) => JsType::String,
        Some(JSType::JS_NUMBER) => JsType::Number,
        _ => JsType::Normal,
    }
}

/// What C++ makes of a string. `ctype` is gone from edition 2024 on.
fn cpp_string(collector: &Collector<'_>, ctype: Option<CType>, language: Language) -> CppString {
    let ctype = ctype.filter(|_| !matches!(collector.syntax, Syntax::Edition(2024..)));
    match ctype {
        Some(CType::CORD) => CppString::Cord,
        Some(CType::STRING_PIECE) => CppString::StringPiece,
        Some(CType::STRING) => CppString::String,
        None => language.cpp_string,
    }
}

/// The default of an enum is a number here, as a value may be renamed and stay what it is; without `default` it is the
/// first value.
fn default(collector: &Collector<'_>, field: &FieldDescriptorProto) -> Option<String> {
    if kind_of(field) != Type::TYPE_ENUM
        || field.label.unwrap_or(Label::LABEL_OPTIONAL) == Label::LABEL_REPEATED
    {
        return field.default_value.clone();
    }
    let (first, values) = collector.numbers.get(text(&field.type_name))?;
    let number = match &field.default_value {
        Some(name) => *values.get(name)?,
        None => *first,
    };
    (number != 0).then(|| number.to_string())
}

pub(crate) fn is_message(kind: Type) -> bool {
    matches!(kind, Type::TYPE_MESSAGE | Type::TYPE_GROUP)
}

fn kind_of(field: &FieldDescriptorProto) -> Type {
    field.r#type.unwrap_or(Type::TYPE_MESSAGE)
}

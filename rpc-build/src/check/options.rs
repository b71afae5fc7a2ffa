//! Options: where they may stand, and that their values are whole.

use std::collections::HashMap;

use buffa::{UnknownField, UnknownFieldData, UnknownFields};
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::field_options::OptionTargetType;
use buffa_descriptor::generated::descriptor::file_options::OptimizeMode;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto,
};

use super::{File, Index};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, join, numbered, scope};
use crate::tag;

pub(super) fn check(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    check_lite(file, index, mistakes);
    let mut visitor = Visitor {
        file,
        index,
        mistakes,
    };
    visitor.file();
}

pub(super) fn is_lite(file: &FileDescriptorProto) -> bool {
    let options = file.options.as_option();
    options.and_then(|options| options.optimize_for) == Some(OptimizeMode::LITE_RUNTIME)
}

/// What is generated for a lite file lacks what others build on.
fn check_lite(file: &File<'_>, index: &Index<'_>, mistakes: &mut Vec<Diagnostic>) {
    let options = file.descriptor.options.as_option();
    // Where options could not be read, this may be one of them.
    let is_read = options.is_none_or(|options| options.uninterpreted_option.is_empty());
    if is_lite(file.descriptor) {
        check_lite_services(file, mistakes);
        return;
    }
    if !is_read {
        return;
    }
    for (at, name) in numbered(&file.descriptor.dependency) {
        if index.lite.contains(name.as_str()) {
            let path = [tag::file::DEPENDENCY, at];
            let mistake = file.mistake(
                &path,
                file.name(),
                format!("`{name}` has `optimize_for = LITE_RUNTIME`, and this file has not"),
            );
            mistakes.push(mistake.help("set the same here, or remove it there"));
        }
    }
}

/// What is generated of services by default in C++ and Java builds on what a lite file lacks.
fn check_lite_services(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    let Some(options) = file.descriptor.options.as_option() else {
        return;
    };
    let generic = [
        ("cc_generic_services", options.cc_generic_services),
        ("java_generic_services", options.java_generic_services),
    ];
    let Some((name, _)) = generic.into_iter().find(|(_, set)| *set == Some(true)) else {
        return;
    };
    for service in &file.elements.services {
        let path = below(&service.path, &[tag::NAME]);
        let text =
            format!("a file with `optimize_for = LITE_RUNTIME` has no services with `{name}`");
        let mistake = file.mistake(&path, &service.name, text);
        mistakes.push(mistake.help(format!("remove `option {name} = true;`")));
    }
}

/// What all options have in common.
struct Set<'a> {
    has_features: bool,
    extensions: &'a UnknownFields,
    /// The name of the message of these options.
    kind: &'static str,
    target: OptionTargetType,
}

struct Visitor<'a, 'b> {
    file: &'a File<'a>,
    index: &'a Index<'a>,
    mistakes: &'b mut Vec<Diagnostic>,
}

/// Looks at the options of an element.
macro_rules! visit {
    ($visitor:ident, $item:expr, $kind:literal, $target:ident, $path:expr, $step:expr, $name:expr) => {
        if let Some(options) = $item.options.as_option() {
            let set = Set {
                has_features: options.features.is_set(),
                extensions: &options.__buffa_unknown_fields,
                kind: concat!(".google.protobuf.", $kind),
                target: OptionTargetType::$target,
            };
            $visitor.set(&set, $path, $step, $name);
        }
    };
}

impl<'a> Visitor<'a, '_> {
    fn file(&mut self) {
        let file = self.file;
        visit!(
            self,
            file.descriptor,
            "FileOptions",
            TARGET_TYPE_FILE,
            &[],
            tag::file::OPTIONS,
            file.name()
        );
        for message in &file.elements.messages {
            self.message(message.item, &message.path, &message.name);
        }
        for item in &file.elements.enums {
            self.enumeration(item);
        }
        for extension in &file.elements.extensions {
            visit!(
                self,
                extension.item,
                "FieldOptions",
                TARGET_TYPE_FIELD,
                &extension.path,
                tag::field::OPTIONS,
                &extension.name
            );
        }
        for service in &file.elements.services {
            self.service(service);
        }
    }

    fn enumeration(&mut self, item: &'a Element<'a, EnumDescriptorProto>) {
        visit!(
            self,
            item.item,
            "EnumOptions",
            TARGET_TYPE_ENUM,
            &item.path,
            tag::enumeration::OPTIONS,
            &item.name
        );
        for (index, value) in numbered(&item.item.value) {
            let path = below(&item.path, &[tag::enumeration::VALUE, index]);
            let name = join(scope(&item.name), value.name.as_deref());
            visit!(
                self,
                value,
                "EnumValueOptions",
                TARGET_TYPE_ENUM_ENTRY,
                &path,
                tag::value::OPTIONS,
                &name
            );
        }
    }

    fn service(&mut self, service: &'a Element<'a, ServiceDescriptorProto>) {
        visit!(
            self,
            service.item,
            "ServiceOptions",
            TARGET_TYPE_SERVICE,
            &service.path,
            tag::service::OPTIONS,
            &service.name
        );
        for (index, method) in numbered(&service.item.method) {
            let path = below(&service.path, &[tag::service::METHOD, index]);
            let name = join(&service.name, method.name.as_deref());
            visit!(
                self,
                method,
                "MethodOptions",
                TARGET_TYPE_METHOD,
                &path,
                tag::method::OPTIONS,
                &name
            );
        }
    }

    fn message(&mut self, message: &'a DescriptorProto, path: &[i32], name: &str) {
        visit!(
            self,
            message,
            "MessageOptions",
            TARGET_TYPE_MESSAGE,
            path,
            tag::message::OPTIONS,
            name
        );
        for (index, field) in numbered(&message.field) {
            let path = below(path, &[tag::message::FIELD, index]);
            let name = join(name, field.name.as_deref());
            visit!(
                self,
                field,
                "FieldOptions",
                TARGET_TYPE_FIELD,
                &path,
                tag::field::OPTIONS,
                &name
            );
        }
        for (index, oneof) in numbered(&message.oneof_decl) {
            let path = below(path, &[tag::message::ONEOF, index]);
            let name = join(name, oneof.name.as_deref());
            visit!(
                self,
                oneof,
                "OneofOptions",
                TARGET_TYPE_ONEOF,
                &path,
                tag::oneof::OPTIONS,
                &name
            );
        }
        for (index, range) in numbered(&message.extension_range) {
            let path = below(path, &[tag::message::EXTENSION_RANGE, index]);
            visit!(
                self,
                range,
                "ExtensionRangeOptions",
                TARGET_TYPE_EXTENSION_RANGE,
                &path,
                tag::range::OPTIONS,
                name
            );
        }
    }

    fn set(&mut self, set: &Set<'_>, path: &[i32], step: i32, name: &str) {
        let path = below(path, &[step]);
        if set.has_features {
            let mistake = self.file.mistake(
                &path,
                name,
                "`features` are only for files with an `edition`",
            );
            self.mistakes
                .push(mistake.help("remove them: in proto2 and proto3 the syntax decides"));
        }
        for field in set.extensions.iter() {
            let number = i32::try_from(field.number).unwrap_or_default();
            if let Some((extension, extension_name)) =
                self.index.extensions.get(&(set.kind, number))
            {
                let path = below(&path, &[number]);
                self.value(extension, field, extension_name, set.target, &path, name);
            }
        }
    }

    fn value(
        &mut self,
        extension: &FieldDescriptorProto,
        field: &UnknownField,
        option: &str,
        target: OptionTargetType,
        path: &[i32],
        name: &str,
    ) {
        let mut wrong = Vec::new();
        self.index
            .wrong_target(extension, field, target, &mut wrong);
        if !wrong.is_empty() {
            let allowed = wrong
                .iter()
                .map(|target| words(*target))
                .collect::<Vec<_>>()
                .join(", ");
            let mistake = self.file.mistake(
                path,
                name,
                format!("the option `({option})` cannot be set on {}", words(target)),
            );
            self.mistakes
                .push(mistake.note(format!("it is for: {allowed}")));
        }
        if let Some(missing) = self.index.missing(extension, field, 0) {
            let mistake = self.file.mistake(
                path,
                name,
                format!(
                    "the value of the option `({option})` lacks the required field `{missing}`"
                ),
            );
            self.mistakes.push(mistake.help("set it"));
        }
    }
}

fn words(target: OptionTargetType) -> &'static str {
    match target {
        OptionTargetType::TARGET_TYPE_FILE => "a file",
        OptionTargetType::TARGET_TYPE_EXTENSION_RANGE => "an extension range",
        OptionTargetType::TARGET_TYPE_MESSAGE => "a message",
        OptionTargetType::TARGET_TYPE_FIELD => "a field",
        OptionTargetType::TARGET_TYPE_ONEOF => "a `oneof`",
        OptionTargetType::TARGET_TYPE_ENUM => "an enum",
        OptionTargetType::TARGET_TYPE_ENUM_ENTRY => "a value of an enum",
        OptionTargetType::TARGET_TYPE_SERVICE => "a service",
        OptionTargetType::TARGET_TYPE_METHOD => "a method",
        OptionTargetType::TARGET_TYPE_UNKNOWN => "something unknown",
    }
}

/// How deep values of options are looked into. Deeper ones were refused by the parser.
const MAX_DEPTH: usize = 100;

/// The fields inside of a value, if that is a message.
fn inside(field: &UnknownField) -> Option<UnknownFields> {
    match &field.data {
        UnknownFieldData::LengthDelimited(bytes) => UnknownFields::decode_from_slice(bytes).ok(),
        UnknownFieldData::Group(fields) => Some(fields.clone()),
        _ => None,
    }
}

impl Index<'_> {
    /// `targets` of an option, or of a field of its value, must have the kind of element that it is set on. Gives those that it
    /// has instead (`ValidateOptionTargets` of `protoc`).
    fn wrong_target(
        &self,
        declared: &FieldDescriptorProto,
        field: &UnknownField,
        target: OptionTargetType,
        wrong: &mut Vec<OptionTargetType>,
    ) {
        if let Some(options) = declared.options.as_option()
            && !options.targets.is_empty()
            && !options.targets.contains(&target)
        {
            wrong.extend(&options.targets);
            return;
        }
        let Some(fields) = self
            .of_message(declared)
            .and_then(|message| Some((message, inside(field)?)))
        else {
            return;
        };
        let by_number = by_number(fields.0);
        for field in fields.1.iter() {
            // The fields of one message are declared once; those that hold themselves are no deeper than the bytes are.
            if let Some(declared) = by_number.get(&field.number) {
                self.wrong_target(declared, field, target, wrong);
            }
        }
    }

    /// A required field that the value of an option lacks.
    fn missing(
        &self,
        declared: &FieldDescriptorProto,
        field: &UnknownField,
        depth: usize,
    ) -> Option<String> {
        let message = self.of_message(declared).filter(|_| depth < MAX_DEPTH)?;
        let fields = inside(field)?;
        let is_there = |number: Option<i32>| {
            fields
                .iter()
                .any(|field| i32::try_from(field.number).ok() == number)
        };
        let required =
            |declared: &&FieldDescriptorProto| declared.label == Some(Label::LABEL_REQUIRED);
        if let Some(missing) = message
            .field
            .iter()
            .filter(required)
            .find(|declared| !is_there(declared.number))
        {
            return missing.name.clone();
        }
        let by_number = by_number(message);
        let nested = |field: &UnknownField| {
            let declared = by_number.get(&field.number)?;
            let missing = self.missing(declared, field, depth + 1)?;
            Some(join(
                declared.name.as_deref().unwrap_or_default(),
                Some(&missing),
            ))
        };
        fields.iter().find_map(nested)
    }

    fn of_message(&self, declared: &FieldDescriptorProto) -> Option<&DescriptorProto> {
        let is_message = matches!(declared.r#type, Some(Type::TYPE_MESSAGE | Type::TYPE_GROUP));
        let name = declared.type_name.as_deref().filter(|_| is_message)?;
        self.message(name).map(|(message, _)| message)
    }
}

fn by_number(message: &DescriptorProto) -> HashMap<u32, &FieldDescriptorProto> {
    let number = |field: &FieldDescriptorProto| u32::try_from(field.number?).ok();
    message
        .field
        .iter()
        .filter_map(|field| Some((number(field)?, field)))
        .collect()
}

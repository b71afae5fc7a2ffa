//! Reads the options of files, by `prost-reflect`, which knows them by the files that declare them.

use std::collections::HashSet;

use buffa::Message;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::Label;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, UninterpretedOption,
};
use prost_reflect::{DescriptorError, DescriptorPool};

use super::{floats, wording};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};

/// The largest number of a field.
const MAX_NUMBER: i32 = 536_870_911;

/// The files that were linked so far.
#[derive(Clone, Default)]
pub(super) struct Linker {
    pool: DescriptorPool,
    linked: Vec<Vec<u8>>,
    /// A pool must not be used again after an error: it keeps a part of the file that failed.
    is_spoilt: bool,
}

impl Linker {
    /// Interprets the options of a file whose names are resolved and whose imports are linked. `visible` are the files whose
    /// names it may use.
    pub(super) fn link(
        &mut self,
        file: &mut FileDescriptorProto,
        visible: Vec<String>,
        source: Option<&SourceFile>,
    ) -> Result<(), Vec<Diagnostic>> {
        if self.is_spoilt {
            self.start_over();
        }
        let name = file.name.clone().unwrap_or_default();
        let mut plain = plain(file);
        floats::read(&mut plain, &self.pool);
        // Chains of public imports are not followed to their end.
        plain.dependency = visible;
        plain.public_dependency.clear();
        plain.weak_dependency.clear();
        let encoded = plain.encode_to_vec();
        if let Err(error) = self.pool.decode_file_descriptor_proto(encoded.as_slice()) {
            self.is_spoilt = true;
            return Err(mistakes(error, &name, source));
        }
        let linked = self
            .pool
            .get_file_by_name(&name)
            .map(|file| file.encode_to_vec());
        let linked = FileDescriptorProto::decode_from_slice(&linked.unwrap_or_default())
            .map_err(|error| vec![Diagnostic::error(format!("`{name}`: {error}"))])?;
        take_options(file, linked);
        self.linked.push(encoded);
        Ok(())
    }

    /// Makes a pool of the files that were good.
    fn start_over(&mut self) {
        self.is_spoilt = false;
        self.pool = DescriptorPool::new();
        for file in &self.linked {
            // What could be added once, in this order, can be added again.
            let _ = self.pool.decode_file_descriptor_proto(file.as_slice());
        }
    }
}

/// A copy with all left out that has nothing to do with options, as `prost-reflect` has its own view of what is allowed.
fn plain(file: &FileDescriptorProto) -> FileDescriptorProto {
    let mut plain = file.clone();
    plain.syntax = None;
    plain.edition = None;
    plain.enum_type.iter_mut().for_each(plain_enum);
    for message in &mut plain.message_type {
        plain_message(message);
    }
    for extension in &mut plain.extension {
        plain_field(extension, 0);
    }
    plain
}

fn plain_message(message: &mut DescriptorProto) {
    message.reserved_range.clear();
    message.reserved_name.clear();
    plain_ranges(message);
    let mut numbers = HashSet::new();
    for (index, field) in (1..).zip(&mut message.field) {
        plain_field(field, index);
        let number = field.number.unwrap_or_default();
        let is_valid = (1..=MAX_NUMBER).contains(&number) && !(19_000..20_000).contains(&number);
        if !is_valid || !numbers.insert(number) {
            field.number = Some(MAX_NUMBER - index);
        }
        // Not unique names are for the checks.
        field.json_name = Some(format!("{index}"));
    }
    for nested in &mut message.nested_type {
        plain_message(nested);
    }
    message.enum_type.iter_mut().for_each(plain_enum);
    for extension in &mut message.extension {
        plain_field(extension, 0);
    }
}

/// Ranges beyond the numbers of fields are those of message sets, and what is in them is for the checks: as many ranges, which
/// have every number that [`plain_field`] gives to an extension.
fn plain_ranges(message: &mut DescriptorProto) {
    let ranges = &mut message.extension_range;
    let is_large = |end: Option<i32>| end.is_some_and(|end| end > MAX_NUMBER + 1);
    if !message.field.is_empty() || !ranges.iter().any(|range| is_large(range.end)) {
        return;
    }
    let mut end = MAX_NUMBER + 1;
    for range in ranges.iter_mut().rev() {
        range.end = Some(end);
        end -= 1;
        range.start = Some(end);
    }
    if let Some(first) = ranges.first_mut() {
        first.start = Some(1);
    }
}

fn plain_enum(item: &mut EnumDescriptorProto) {
    item.reserved_range.clear();
    if item.value.is_empty() {
        item.value.push(EnumValueDescriptorProto {
            name: Some(format!("{}_", item.name.as_deref().unwrap_or_default())),
            number: Some(0),
            ..Default::default()
        });
    }
    let uninterpreted = item
        .options
        .as_option()
        .map(|options| options.uninterpreted_option.as_slice())
        .unwrap_or_default();
    let is_alias = |option: &UninterpretedOption| {
        option
            .name
            .first()
            .is_some_and(|part| part.name_part == "allow_alias")
    };
    if uninterpreted.iter().any(is_alias) {
        return;
    }
    let mut numbers = HashSet::new();
    for (index, value) in (0..).zip(&mut item.value) {
        if !numbers.insert(value.number.unwrap_or_default()) {
            value.number = Some(i32::MIN + index);
        }
    }
}

fn plain_field(field: &mut FieldDescriptorProto, index: i32) {
    field.default_value = None;
    // An extension of a message set may have any number, and no option is one.
    if field.extendee.is_some() && field.number.unwrap_or_default() > MAX_NUMBER {
        field.number = Some(MAX_NUMBER - index);
    }
    if field.label.is_none() {
        field.label = Some(Label::LABEL_OPTIONAL);
    }
}

/// Moves all options, and the locations that now name them, into `file`, which is otherwise the same.
fn take_options(file: &mut FileDescriptorProto, linked: FileDescriptorProto) {
    file.options = linked.options;
    file.source_code_info = linked.source_code_info;
    for (message, linked) in file.message_type.iter_mut().zip(linked.message_type) {
        take_message(message, linked);
    }
    for (item, linked) in file.enum_type.iter_mut().zip(linked.enum_type) {
        take_enum(item, linked);
    }
    for (field, linked) in file.extension.iter_mut().zip(linked.extension) {
        field.options = linked.options;
    }
    for (service, linked) in file.service.iter_mut().zip(linked.service) {
        service.options = linked.options;
        for (method, linked) in service.method.iter_mut().zip(linked.method) {
            method.options = linked.options;
        }
    }
}

fn take_message(message: &mut DescriptorProto, linked: DescriptorProto) {
    message.options = linked.options;
    for (field, linked) in message.field.iter_mut().zip(linked.field) {
        field.options = linked.options;
    }
    for (field, linked) in message.extension.iter_mut().zip(linked.extension) {
        field.options = linked.options;
    }
    for (oneof, linked) in message.oneof_decl.iter_mut().zip(linked.oneof_decl) {
        oneof.options = linked.options;
    }
    for (range, linked) in message
        .extension_range
        .iter_mut()
        .zip(linked.extension_range)
    {
        range.options = linked.options;
    }
    for (item, linked) in message.enum_type.iter_mut().zip(linked.enum_type) {
        take_enum(item, linked);
    }
    for (nested, linked) in message.nested_type.iter_mut().zip(linked.nested_type) {
        take_message(nested, linked);
    }
}

fn take_enum(item: &mut EnumDescriptorProto, linked: EnumDescriptorProto) {
    item.options = linked.options;
    for (value, linked) in item.value.iter_mut().zip(linked.value) {
        value.options = linked.options;
    }
}

fn mistakes(error: DescriptorError, name: &str, source: Option<&SourceFile>) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let text = source
        .and_then(|source| source.text.as_deref())
        .unwrap_or_default();
    // Labels count characters, locations bytes: in a text of only one-byte characters both are the same.
    let bytes: String = text
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { 'x' })
        .collect();
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let error = error.with_source_code(&bytes);
    wording::translate(&error, &mut mistakes, |bytes| Span {
        file: name.into(),
        bytes: boundary(bytes.start)..boundary(bytes.end),
    });
    mistakes
}

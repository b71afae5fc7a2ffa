//! A lock as text.

use std::fmt::{self, Formatter};

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

use super::model::{
    Cardinality, CppString, Enum, Field, File, Idempotency, JsType, Message, Method, Range,
    Reserved, Service, Syntax, Value, default_json_name,
};

/// The kinds of fields that have a word of their own.
pub(crate) const SCALARS: [(Type, &str); 15] = [
    (Type::TYPE_DOUBLE, "double"),
    (Type::TYPE_FLOAT, "float"),
    (Type::TYPE_INT64, "int64"),
    (Type::TYPE_UINT64, "uint64"),
    (Type::TYPE_INT32, "int32"),
    (Type::TYPE_FIXED64, "fixed64"),
    (Type::TYPE_FIXED32, "fixed32"),
    (Type::TYPE_BOOL, "bool"),
    (Type::TYPE_STRING, "string"),
    (Type::TYPE_BYTES, "bytes"),
    (Type::TYPE_UINT32, "uint32"),
    (Type::TYPE_SFIXED32, "sfixed32"),
    (Type::TYPE_SFIXED64, "sfixed64"),
    (Type::TYPE_SINT32, "sint32"),
    (Type::TYPE_SINT64, "sint64"),
];

/// What a file's syntax decides, so that the lock only says what is different.
impl Syntax {
    pub(super) fn legacy_json(self) -> bool {
        self == Self::Proto2
    }

    pub(super) fn closed_enums(self) -> bool {
        self == Self::Proto2
    }

    pub(super) fn utf8(self) -> bool {
        self != Self::Proto2
    }

    pub(super) fn cpp_string(self) -> CppString {
        match self {
            Self::Edition(2024..) => CppString::View,
            _ => CppString::String,
        }
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proto2 => f.write_str("proto2"),
            Self::Proto3 => f.write_str("proto3"),
            Self::Edition(year) => write!(f, "edition {year}"),
        }
    }
}

pub(super) fn file(f: &mut Formatter<'_>, file: &File) -> fmt::Result {
    let bundled = if file.bundled { " bundled" } else { "" };
    writeln!(f, "\nfile {}{bundled}", quoted(&file.name))?;
    writeln!(f, "  syntax {}", file.syntax)?;
    if !file.package.is_empty() {
        writeln!(f, "  package {}", file.package)?;
    }
    for (name, value) in &file.options {
        writeln!(f, "  option {name} = {}", quoted(value))?;
    }
    for message in file.messages.iter().filter(|message| !message.map_entry) {
        self::message(f, file, message)?;
    }
    for enumeration in &file.enums {
        self::enumeration(f, file, enumeration)?;
    }
    for service in &file.services {
        self::service(f, service)?;
    }
    for extension in &file.extensions {
        let extendee = extension.extendee.as_deref().unwrap_or_default();
        let field = field_text(extension, file);
        writeln!(f, "  extend {extendee} {{ {field} }}")?;
    }
    lines(f, file)
}

fn message(f: &mut Formatter<'_>, file: &File, message: &Message) -> fmt::Result {
    let mut attributes = Vec::new();
    if message.legacy_json != file.syntax.legacy_json() && !file.bundled {
        attributes.push(json_format(message.legacy_json));
    }
    if message.no_standard_descriptor_accessor {
        attributes.push("no_standard_descriptor_accessor".to_owned());
    }
    if message.message_set {
        attributes.push("message_set_wire_format".to_owned());
    }
    writeln!(f, "  message {}{}", message.name, listed(&attributes))?;
    for field in &message.fields {
        writeln!(f, "    {}", field_text(field, file))?;
    }
    for oneof in message.declared_oneofs() {
        writeln!(f, "    oneof {}", oneof.name)?;
    }
    reserved(f, &message.reserved)?;
    if !message.extension_ranges.is_empty() {
        writeln!(f, "    extensions {}", ranges(&message.extension_ranges))?;
    }
    Ok(())
}

fn enumeration(f: &mut Formatter<'_>, file: &File, enumeration: &Enum) -> fmt::Result {
    let mut attributes = Vec::new();
    if enumeration.closed != file.syntax.closed_enums() {
        let word = if enumeration.closed { "CLOSED" } else { "OPEN" };
        attributes.push(format!("enum_type = {word}"));
    }
    if enumeration.legacy_json != file.syntax.legacy_json() {
        attributes.push(json_format(enumeration.legacy_json));
    }
    writeln!(f, "  enum {}{}", enumeration.name, listed(&attributes))?;
    for value in &enumeration.values {
        writeln!(f, "    {}", value_text(value))?;
    }
    reserved(f, &enumeration.reserved)
}

fn service(f: &mut Formatter<'_>, service: &Service) -> fmt::Result {
    writeln!(f, "  service {}", service.name)?;
    for method in &service.methods {
        writeln!(f, "    {}", method_text(method))?;
    }
    Ok(())
}

fn reserved(f: &mut Formatter<'_>, reserved: &Reserved) -> fmt::Result {
    if !reserved.ranges.is_empty() {
        writeln!(f, "    reserved {}", ranges(&reserved.ranges))?;
    }
    if !reserved.names.is_empty() {
        let names: Vec<_> = reserved.names.iter().map(|name| quoted(name)).collect();
        writeln!(f, "    reserved {}", names.join(", "))?;
    }
    Ok(())
}

/// The lines of all elements, in the order in which they were written above, apart from them: a change of a comment then
/// changes these rows and no others.
fn lines(f: &mut Formatter<'_>, file: &File) -> fmt::Result {
    const WIDTH: usize = 100;
    let lines = file.lines();
    if file.bundled || lines.iter().all(|line| *line == 0) {
        return Ok(());
    }
    let mut row = String::from("  lines");
    let mut rest = lines.as_slice();
    while let Some((&first, _)) = rest.split_first() {
        let run = (1..)
            .zip(rest)
            .take_while(|(count, line)| **line == first + count - 1)
            .count();
        let text = match run {
            1 => format!(" {first}"),
            _ => format!(" {first}-{}", rest[run - 1]),
        };
        if row.len() + text.len() > WIDTH {
            writeln!(f, "{row}")?;
            row = String::from("  lines");
        }
        row += &text;
        rest = &rest[run..];
    }
    writeln!(f, "{row}")
}

impl File {
    fn lines(&self) -> Vec<u32> {
        let mut lines = Vec::new();
        for message in self.messages.iter().filter(|message| !message.map_entry) {
            lines.push(message.at.line);
            lines.extend(message.fields.iter().map(|field| field.at.line));
            lines.extend(message.declared_oneofs().map(|oneof| oneof.at.line));
        }
        for enumeration in &self.enums {
            lines.push(enumeration.at.line);
            lines.extend(enumeration.values.iter().map(|value| value.at.line));
        }
        for service in &self.services {
            lines.push(service.at.line);
            lines.extend(service.methods.iter().map(|method| method.at.line));
        }
        lines.extend(self.extensions.iter().map(|extension| extension.at.line));
        lines
    }
}

/// A field as one would declare it, with what its syntax does not say by itself.
pub(crate) fn field_text(field: &Field, file: &File) -> String {
    let mut text = String::new();
    // A message and a member of a oneof have presence anyway, so that only scalars need the word.
    let needs_word = !super::is_message(field.kind) && field.oneof.is_none();
    text += match field.cardinality {
        Cardinality::Explicit if needs_word || field.extendee.is_some() => "optional ",
        Cardinality::Explicit | Cardinality::Implicit | Cardinality::Map => "",
        Cardinality::Required => "required ",
        Cardinality::LegacyRequired => "legacy_required ",
        Cardinality::Repeated => "repeated ",
    };
    let entry = entry_of(field, file);
    match entry {
        Some([key, value]) => {
            text += &format!("map<{}, {}>", type_text(key), type_text(value));
        }
        None => text += &type_text(field),
    }
    text += &format!(" {} = {}", field.name, field.number);
    text += &listed(&attributes(field, entry, file.syntax));
    text
}

pub(crate) fn type_text(field: &Field) -> String {
    let name = &field.type_name;
    match field.kind {
        Type::TYPE_MESSAGE => name.clone(),
        Type::TYPE_GROUP => format!("group {name}"),
        Type::TYPE_ENUM => format!("enum {name}"),
        kind => scalar(kind).to_owned(),
    }
}

pub(crate) fn scalar(kind: Type) -> &'static str {
    let found = SCALARS.iter().find(|(scalar, _)| *scalar == kind);
    found.map_or("message", |(_, word)| word)
}

/// The key and the value of a map field.
fn entry_of<'a>(field: &Field, file: &'a File) -> Option<[&'a Field; 2]> {
    if field.cardinality != Cardinality::Map {
        return None;
    }
    let name = field.type_name.strip_prefix('.')?;
    let name = match file.package.as_str() {
        "" => name,
        package => name.strip_prefix(package)?.strip_prefix('.')?,
    };
    let by_name = file
        .messages
        .binary_search_by(|message| message.name.as_str().cmp(name));
    match file.messages.get(by_name.ok()?)?.fields.as_slice() {
        [key, value] => Some([key, value]),
        _ => None,
    }
}

fn attributes(field: &Field, entry: Option<[&Field; 2]>, syntax: Syntax) -> Vec<String> {
    let mut attributes = Vec::new();
    if let Some(oneof) = &field.oneof {
        attributes.push(format!("oneof = {oneof}"));
    }
    if field.extendee.is_none() && field.json_name != default_json_name(&field.name) {
        attributes.push(format!("json_name = {}", quoted(&field.json_name)));
    }
    if let Some(default) = &field.default {
        attributes.push(format!("default = {}", quoted(default)));
    }
    match field.jstype {
        JsType::Normal => {}
        JsType::String => attributes.push("jstype = JS_STRING".to_owned()),
        JsType::Number => attributes.push("jstype = JS_NUMBER".to_owned()),
    }
    let parts = entry.unwrap_or([field, field]);
    let stringy = |kind| matches!(kind, Type::TYPE_STRING | Type::TYPE_BYTES);
    if stringy(field.kind) && field.cpp_string != syntax.cpp_string() {
        attributes.push(format!("cpp_string = {}", cpp_text(field.cpp_string)));
    }
    if let Some(text) = parts.iter().find(|part| part.kind == Type::TYPE_STRING) {
        if text.utf8 != syntax.utf8() {
            attributes.push(format!("utf8 = {}", verify_text(text.utf8)));
        }
        if text.java_utf8 != text.utf8 {
            attributes.push(format!("java_utf8 = {}", verify_text(text.java_utf8)));
        }
    }
    attributes
}

pub(crate) fn cpp_text(string: CppString) -> &'static str {
    match string {
        CppString::String => "STRING",
        CppString::Cord => "CORD",
        CppString::StringPiece => "STRING_PIECE",
        CppString::View => "VIEW",
    }
}

pub(crate) fn verify_text(verify: bool) -> &'static str {
    if verify { "VERIFY" } else { "NONE" }
}

fn json_format(legacy: bool) -> String {
    let word = if legacy {
        "LEGACY_BEST_EFFORT"
    } else {
        "ALLOW"
    };
    format!("json_format = {word}")
}

pub(crate) fn value_text(value: &Value) -> String {
    format!("{} = {}", value.name, value.number)
}

/// A method as one would declare it.
pub(crate) fn method_text(method: &Method) -> String {
    let stream = |streaming| if streaming { "stream " } else { "" };
    let attributes: &[String] = match method.idempotency {
        Idempotency::Unknown => &[],
        Idempotency::NoSideEffects => &["no_side_effects".to_owned()],
        Idempotency::Idempotent => &["idempotent".to_owned()],
    };
    format!(
        "rpc {}({}{}) returns ({}{}){}",
        method.name,
        stream(method.client_streaming),
        method.input,
        stream(method.server_streaming),
        method.output,
        listed(attributes)
    )
}

pub(crate) fn ranges(ranges: &[Range]) -> String {
    let texts: Vec<_> = ranges.iter().map(|range| range_text(*range)).collect();
    texts.join(", ")
}

pub(crate) fn range_text((first, last): Range) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first} to {last}")
    }
}

fn listed(attributes: &[String]) -> String {
    match attributes {
        [] => String::new(),
        attributes => format!(" [{}]", attributes.join(", ")),
    }
}

/// A text in quotes, on one line whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted += &format!("\\u{{{:x}}}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

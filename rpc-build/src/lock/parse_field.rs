//! A field of a lock's text.

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

use super::model::{
    At, Cardinality, CppString, Field, File, JsType, Message, Syntax, default_json_name,
    map_entry_name,
};
use super::tokens::Tokens;
use super::write::SCALARS;

/// A field of a message, and the message behind it if it is a map.
pub(super) fn field(
    tokens: &mut Tokens<'_>,
    file: &File,
    message: &str,
    legacy_json: bool,
) -> Result<(Field, Option<Message>), String> {
    let cardinality = cardinality(tokens);
    let map = map(tokens)?;
    let (kind, type_name) = match &map {
        Some(_) => (Type::TYPE_MESSAGE, String::new()),
        None => kind(tokens)?,
    };
    let mut field = bare(tokens, kind, type_name, file.syntax)?;
    set_attributes(&mut field, tokens)?;
    field.cardinality = match cardinality {
        Some(cardinality) => cardinality,
        None if map.is_some() => Cardinality::Map,
        None if super::is_message(kind) || field.oneof.is_some() => Cardinality::Explicit,
        None => Cardinality::Implicit,
    };
    let entry = map.map(|(key, value)| {
        let name = format!("{message}.{}", map_entry_name(&field.name));
        field.type_name = format!(".{}", file.full_name(&name));
        let fields = vec![
            part(&field, "key", key, file.syntax),
            part(&field, "value", value, file.syntax),
        ];
        Message {
            name,
            map_entry: true,
            legacy_json,
            fields,
            ..Message::default()
        }
    });
    Ok((field, entry))
}

/// A type and its name, if it has one.
type Kind = (Type, String);

/// `map<string, int32>` if that is next.
fn map(tokens: &mut Tokens<'_>) -> Result<Option<(Kind, Kind)>, String> {
    if !tokens.take("map") {
        return Ok(None);
    }
    tokens.sign('<')?;
    let key = kind(tokens)?;
    tokens.sign(',')?;
    let value = kind(tokens)?;
    tokens.sign('>')?;
    Ok(Some((key, value)))
}

/// The key or the value of a map field.
fn part(map: &Field, name: &str, (kind, type_name): Kind, syntax: Syntax) -> Field {
    let implicit = syntax == Syntax::Proto3 && !super::is_message(kind);
    Field {
        number: if name == "key" { 1 } else { 2 },
        name: name.to_owned(),
        json_name: name.to_owned(),
        kind,
        type_name,
        cardinality: match implicit {
            true => Cardinality::Implicit,
            false => Cardinality::Explicit,
        },
        cpp_string: syntax.cpp_string(),
        jstype: JsType::Normal,
        default: None,
        ..map.clone()
    }
}

/// What stands between the braces of `extend`.
pub(super) fn extension(
    tokens: &mut Tokens<'_>,
    file: &File,
    extendee: String,
) -> Result<Field, String> {
    let (mut field, _) = field(tokens, file, "", false)?;
    if field.cardinality == Cardinality::Implicit {
        field.cardinality = Cardinality::Explicit;
    }
    field.extendee = Some(extendee);
    Ok(field)
}

fn cardinality(tokens: &mut Tokens<'_>) -> Option<Cardinality> {
    [
        ("optional", Cardinality::Explicit),
        ("required", Cardinality::Required),
        ("legacy_required", Cardinality::LegacyRequired),
        ("repeated", Cardinality::Repeated),
    ]
    .into_iter()
    .find_map(|(word, cardinality)| tokens.take(word).then_some(cardinality))
}

fn kind(tokens: &mut Tokens<'_>) -> Result<Kind, String> {
    if tokens.take("group") {
        return named(tokens).map(|name| (Type::TYPE_GROUP, name));
    }
    if tokens.take("enum") {
        return named(tokens).map(|name| (Type::TYPE_ENUM, name));
    }
    let word = tokens.word("a type")?;
    if word.starts_with('.') {
        return Ok((Type::TYPE_MESSAGE, word.to_owned()));
    }
    let scalar = SCALARS.iter().find(|(_, scalar)| *scalar == word);
    scalar
        .map(|(kind, _)| (*kind, String::new()))
        .ok_or_else(|| format!("there is no type `{word}`; names of messages begin with a dot"))
}

fn named(tokens: &mut Tokens<'_>) -> Result<String, String> {
    tokens.word("the name of a type").map(str::to_owned)
}

/// A field as it is without attributes, from its name on.
fn bare(
    tokens: &mut Tokens<'_>,
    kind: Type,
    type_name: String,
    syntax: Syntax,
) -> Result<Field, String> {
    let name = tokens.word("the name of a field")?.to_owned();
    tokens.sign('=')?;
    let number = tokens.number("a field")?;
    Ok(Field {
        number,
        json_name: default_json_name(&name),
        name,
        kind,
        type_name,
        cardinality: Cardinality::Implicit,
        oneof: None,
        default: None,
        jstype: JsType::Normal,
        cpp_string: syntax.cpp_string(),
        utf8: syntax.utf8(),
        java_utf8: syntax.utf8(),
        extendee: None,
        at: At::default(),
    })
}

fn set_attributes(field: &mut Field, tokens: &mut Tokens<'_>) -> Result<(), String> {
    let mut java_utf8 = None;
    for (attribute, value) in attributes(tokens)? {
        match (attribute.as_str(), value.as_str()) {
            ("oneof", _) => field.oneof = Some(value),
            ("json_name", _) => field.json_name = value,
            ("default", _) => field.default = Some(value),
            ("jstype", "JS_STRING") => field.jstype = JsType::String,
            ("jstype", "JS_NUMBER") => field.jstype = JsType::Number,
            ("cpp_string", "STRING") => field.cpp_string = CppString::String,
            ("cpp_string", "CORD") => field.cpp_string = CppString::Cord,
            ("cpp_string", "STRING_PIECE") => field.cpp_string = CppString::StringPiece,
            ("cpp_string", "VIEW") => field.cpp_string = CppString::View,
            ("utf8", "VERIFY" | "NONE") => field.utf8 = value == "VERIFY",
            ("java_utf8", "VERIFY" | "NONE") => java_utf8 = Some(value == "VERIFY"),
            _ => return Err(format!("a field has no `{attribute} = {value}`")),
        }
    }
    field.java_utf8 = java_utf8.unwrap_or(field.utf8);
    Ok(())
}

/// What stands in brackets at the end of a line: `[flag, name = value]`, where a value may be in quotes.
pub(super) fn attributes(tokens: &mut Tokens<'_>) -> Result<Vec<(String, String)>, String> {
    let mut attributes = Vec::new();
    if !tokens.take_sign('[') {
        return Ok(attributes);
    }
    loop {
        let name = tokens.word("an attribute")?.to_owned();
        let value = match tokens.take_sign('=') {
            false => String::new(),
            true if tokens.is_text() => tokens.text("a value")?,
            true => tokens.word("a value")?.to_owned(),
        };
        attributes.push((name, value));
        if !tokens.take_sign(',') {
            tokens.sign(']')?;
            return Ok(attributes);
        }
    }
}

//! The parts of a lock's text that make up files, messages, enums and services.

use super::model::{At, Enum, Idempotency, Message, Method, Range, Reserved, Syntax};
use super::parse_field;
use super::tokens::Tokens;

pub(super) fn syntax(tokens: &mut Tokens<'_>) -> Result<Syntax, String> {
    match tokens.word("a syntax")? {
        "proto2" => Ok(Syntax::Proto2),
        "proto3" => Ok(Syntax::Proto3),
        "edition" => tokens.number("an edition").map(Syntax::Edition),
        other => Err(format!("there is no syntax `{other}`")),
    }
}

pub(super) fn message(
    name: String,
    syntax: Syntax,
    tokens: &mut Tokens<'_>,
) -> Result<Message, String> {
    let mut message = Message {
        name,
        legacy_json: syntax.legacy_json(),
        ..Message::default()
    };
    for (attribute, value) in parse_field::attributes(tokens)? {
        match (attribute.as_str(), value.as_str()) {
            ("json_format", _) => message.legacy_json = value == "LEGACY_BEST_EFFORT",
            ("no_standard_descriptor_accessor", "") => {
                message.no_standard_descriptor_accessor = true;
            }
            ("message_set_wire_format", "") => message.message_set = true,
            _ => return Err(format!("a message has no `{attribute}`")),
        }
    }
    Ok(message)
}

pub(super) fn enumeration(
    name: String,
    syntax: Syntax,
    tokens: &mut Tokens<'_>,
) -> Result<Enum, String> {
    let mut enumeration = Enum {
        name,
        closed: syntax.closed_enums(),
        legacy_json: syntax.legacy_json(),
        ..Enum::default()
    };
    for (attribute, value) in parse_field::attributes(tokens)? {
        match attribute.as_str() {
            "enum_type" => enumeration.closed = value == "CLOSED",
            "json_format" => enumeration.legacy_json = value == "LEGACY_BEST_EFFORT",
            _ => return Err(format!("an enum has no `{attribute}`")),
        }
    }
    Ok(enumeration)
}

pub(super) fn method(tokens: &mut Tokens<'_>) -> Result<Method, String> {
    tokens.take("rpc");
    let name = tokens.word("a name")?.to_owned();
    tokens.sign('(')?;
    let client_streaming = tokens.take("stream");
    let input = tokens.word("the type of the request")?.to_owned();
    tokens.sign(')')?;
    if !tokens.take("returns") {
        return Err("expected `returns`".to_owned());
    }
    tokens.sign('(')?;
    let server_streaming = tokens.take("stream");
    let output = tokens.word("the type of the response")?.to_owned();
    tokens.sign(')')?;
    let mut idempotency = Idempotency::Unknown;
    for (attribute, _) in parse_field::attributes(tokens)? {
        idempotency = match attribute.as_str() {
            "no_side_effects" => Idempotency::NoSideEffects,
            "idempotent" => Idempotency::Idempotent,
            _ => return Err(format!("a method has no `{attribute}`")),
        };
    }
    Ok(Method {
        name,
        input,
        output,
        client_streaming,
        server_streaming,
        idempotency,
        at: At::default(),
    })
}

pub(super) fn reserved(tokens: &mut Tokens<'_>, reserved: &mut Reserved) -> Result<(), String> {
    tokens.take("reserved");
    if !tokens.is_text() {
        return ranges(tokens, &mut reserved.ranges);
    }
    loop {
        reserved.names.push(tokens.text("a name")?);
        if !tokens.take_sign(',') {
            return Ok(());
        }
    }
}

pub(super) fn ranges(tokens: &mut Tokens<'_>, ranges: &mut Vec<Range>) -> Result<(), String> {
    loop {
        let first = tokens.number("a range")?;
        let last = match tokens.take("to") {
            true => tokens.number("a range")?,
            false => first,
        };
        ranges.push((first, last));
        if !tokens.take_sign(',') {
            return Ok(());
        }
    }
}

/// Line numbers `5 7-9`. A file cannot have so many that they would not fit.
pub(super) fn lines(tokens: &mut Tokens<'_>, lines: &mut Vec<u32>) -> Result<(), String> {
    const MAX: usize = 1_000_000;
    while !tokens.is_empty() {
        let word = tokens.word("a line")?;
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let parsed = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
        let (first, last) = parsed
            .filter(|(first, last)| first <= last && (last - first) as usize <= MAX)
            .ok_or_else(|| format!("`{word}` is no line and no range of lines"))?;
        lines.extend(first..=last);
        if lines.len() > MAX {
            return Err("these are more lines than a file has".to_owned());
        }
    }
    Ok(())
}

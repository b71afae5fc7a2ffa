//! Text into a lock.

use std::collections::BTreeSet;

use super::model::{
    At, Enum, FILE_OPTIONS, File, Idempotency, Message, Method, Oneof, Range, Reserved, Service,
    Syntax, Value,
};
use super::parse_field;
use super::tokens::Tokens;
use super::{ACCEPT_VARIABLE, FILE_NAME, Lock, VERSION};
use crate::diagnostic::{Diagnostic, Label};
use crate::source::Span;

/// More of them do not help.
const MAX_MISTAKES: usize = 20;

pub(super) fn parse(text: &str) -> Result<Lock, Vec<Diagnostic>> {
    whole(text).map_err(|mistake| vec![mistake])?;
    let mut parser = Parser::default();
    let mut mistakes = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty()
            && !content.starts_with('#')
            && let Err(message) = parser.line(content)
        {
            let start = offset + line.len() - line.trim_start().len();
            mistakes.push(mistake(message, start..start + content.len()));
            if mistakes.len() == MAX_MISTAKES {
                break;
            }
        }
        offset += line.len();
    }
    if mistakes.is_empty()
        && let Err(message) = parser.finish_file()
    {
        mistakes.push(mistake(
            message,
            text.trim_end().len()..text.trim_end().len(),
        ));
    }
    if mistakes.is_empty() {
        Ok(parser.lock)
    } else {
        Err(mistakes)
    }
}

fn mistake(message: String, bytes: std::ops::Range<usize>) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(message).help(format!(
        "`{FILE_NAME}` is not written by hand: restore it with `git checkout -- {FILE_NAME}`, or release the schema as it \
         is with `{ACCEPT_VARIABLE}=1 cargo build`"
    ));
    diagnostic.primary = Some(Label {
        span: Span {
            file: FILE_NAME.into(),
            bytes,
        },
        text: String::new(),
    });
    diagnostic
}

/// What makes a lock unreadable as a whole.
fn whole(text: &str) -> Result<(), Diagnostic> {
    const HEADER: &str = "# rpc-build schema lock, version ";
    const MARKERS: [&str; 4] = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if MARKERS.iter().any(|marker| line.starts_with(marker)) {
            let bytes = offset..offset + line.trim_end().len();
            let mut conflict = mistake(format!("`{FILE_NAME}` has a merge conflict"), bytes);
            conflict.help = vec![format!(
                "take one side as a whole (`git checkout --theirs {FILE_NAME}` has what the other branch released), \
                 then accept the merged schema: `{ACCEPT_VARIABLE}=1 cargo build` says what it breaks of that side"
            )];
            return Err(conflict);
        }
        offset += line.len();
    }
    let first = text.lines().next().unwrap_or_default().trim_end();
    let Some(version) = first.strip_prefix(HEADER) else {
        let message = format!("this is no schema lock: its first line is not `{HEADER}{VERSION}`");
        return Err(mistake(message, 0..first.len()));
    };
    if version.parse() == Ok(VERSION) {
        return Ok(());
    }
    let mut other = mistake(
        format!(
            "this schema lock has version {version}, and this `rpc-build` reads version {VERSION}"
        ),
        0..first.len(),
    );
    other.help = vec!["build with the `rpc-build` that wrote it, or a newer one".to_owned()];
    Err(other)
}

/// The block that lines without a keyword of their own belong to.
#[derive(Default)]
enum Block {
    #[default]
    None,
    Message(Message),
    Enum(Enum),
    Service(Service),
}

#[derive(Default)]
struct Parser {
    lock: Lock,
    file: Option<File>,
    block: Block,
    lines: Vec<u32>,
    /// The names of the elements of this file, to find one that is there twice.
    seen: BTreeSet<String>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut tokens = Tokens::of(line)?;
        let first = line.split(' ').next().unwrap_or_default();
        // `message = 1` is a value of an enum, not the head of a message.
        let is_value = line[first.len()..].trim_start().starts_with('=');
        if is_value {
            return self.value(&mut tokens);
        }
        match first {
            "file" => self.begin_file(&mut tokens),
            "syntax" | "package" | "option" | "lines" => self.about_file(first, &mut tokens),
            "message" | "enum" if !self.is_enum_field(line) => self.begin(first, &mut tokens),
            "service" => self.begin(first, &mut tokens),
            "extend" => self.extension(&mut tokens),
            _ => self.member(first, &mut tokens),
        }?;
        tokens.end()
    }

    /// `enum .a.v1.Kind kind = 3` is a field, `enum Kind` begins an enum.
    fn is_enum_field(&self, line: &str) -> bool {
        line.starts_with("enum .")
    }

    fn file(&mut self) -> Result<&mut File, String> {
        self.file
            .as_mut()
            .ok_or_else(|| "this line comes before any `file`".to_owned())
    }

    fn begin_file(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        self.finish_file()?;
        tokens.take("file");
        let name = tokens.text("the name of the file")?;
        if self.lock.files.contains_key(&name) {
            return Err(format!("`{name}` is in this lock twice"));
        }
        self.file = Some(File {
            name,
            bundled: tokens.take("bundled"),
            ..File::default()
        });
        Ok(())
    }

    fn about_file(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Result<(), String> {
        tokens.take(keyword);
        match keyword {
            "syntax" => self.file()?.syntax = syntax(tokens)?,
            "package" => {
                self.file()?.package = tokens.word("the name of the package")?.to_owned();
            }
            "option" => {
                let name = tokens.word("the name of an option")?;
                let option = FILE_OPTIONS.iter().find(|option| option.name == name);
                let option = option.ok_or_else(|| format!("there is no file option `{name}`"))?;
                tokens.sign('=')?;
                let value = tokens.text("its value")?;
                self.file()?.options.insert(option.name, value);
            }
            _ => {
                self.file()?;
                lines(tokens, &mut self.lines)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Result<(), String> {
        self.finish_block()?;
        tokens.take(keyword);
        let name = tokens.word("a name")?.to_owned();
        if !self.seen.insert(name.clone()) {
            return Err(format!("`{name}` is in this file twice"));
        }
        let syntax = self.file()?.syntax;
        self.block = match keyword {
            "message" => Block::Message(message(name, syntax, tokens)?),
            "enum" => Block::Enum(enumeration(name, syntax, tokens)?),
            _ => Block::Service(Service {
                name,
                ..Service::default()
            }),
        };
        Ok(())
    }

    fn value(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        let Block::Enum(block) = &mut self.block else {
            return Err("a value stands below an `enum`".to_owned());
        };
        let name = tokens.word("a name")?.to_owned();
        tokens.sign('=')?;
        let number = tokens.number("a value")?;
        tokens.end()?;
        if block.values.iter().any(|value| value.name == name) {
            return Err(format!("`{name}` is in this enum twice"));
        }
        let at = At::default();
        block.values.push(Value { name, number, at });
        Ok(())
    }

    fn member(&mut self, first: &str, tokens: &mut Tokens<'_>) -> Result<(), String> {
        match (&mut self.block, first) {
            (Block::Message(block), "reserved") => reserved(tokens, &mut block.reserved),
            (Block::Enum(block), "reserved") => reserved(tokens, &mut block.reserved),
            (Block::Message(block), "extensions") => {
                tokens.take(first);
                ranges(tokens, &mut block.extension_ranges)
            }
            (Block::Message(block), "oneof") => {
                tokens.take(first);
                let name = tokens.word("a name")?.to_owned();
                block.oneofs.push(Oneof {
                    name,
                    ..Oneof::default()
                });
                Ok(())
            }
            (Block::Service(block), "rpc") => {
                let method = method(tokens)?;
                if block.methods.iter().any(|other| other.name == method.name) {
                    return Err(format!("`{}` is in this service twice", method.name));
                }
                block.methods.push(method);
                Ok(())
            }
            (Block::Message(block), _) => {
                let file = self
                    .file
                    .as_mut()
                    .ok_or("this line comes before any `file`")?;
                let (field, entry) =
                    parse_field::field(tokens, file, &block.name, block.legacy_json)?;
                if block
                    .fields
                    .iter()
                    .any(|other| other.number == field.number)
                {
                    return Err(format!("field {} is in this message twice", field.number));
                }
                file.messages.extend(entry);
                block.fields.push(field);
                Ok(())
            }
            _ => Err(format!("`{first}` has no meaning here")),
        }
    }

    fn extension(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        self.finish_block()?;
        tokens.take("extend");
        let extendee = tokens.word("the extended message")?.to_owned();
        tokens.sign('{')?;
        let file = self.file()?;
        let field = parse_field::extension(tokens, file, extendee)?;
        file.extensions.push(field);
        tokens.sign('}')
    }

    fn finish_block(&mut self) -> Result<(), String> {
        let block = std::mem::take(&mut self.block);
        let file = self.file()?;
        match block {
            Block::None => {}
            Block::Message(message) => file.messages.push(message),
            Block::Enum(enumeration) => file.enums.push(enumeration),
            Block::Service(service) => file.services.push(service),
        }
        Ok(())
    }

    fn finish_file(&mut self) -> Result<(), String> {
        self.seen.clear();
        let lines = std::mem::take(&mut self.lines);
        if self.file.is_some() {
            self.finish_block()?;
        }
        if let Some(mut file) = self.file.take() {
            file.set_lines(lines)?;
            file.messages.sort_by(|a, b| a.name.cmp(&b.name));
            self.lock.files.insert(file.name.clone(), file);
        }
        Ok(())
    }
}

impl File {
    /// Gives the elements their lines, in the order in which they were written.
    fn set_lines(&mut self, lines: Vec<u32>) -> Result<(), String> {
        let mut places = Vec::new();
        for message in self
            .messages
            .iter_mut()
            .filter(|message| !message.map_entry)
        {
            places.push(&mut message.at);
            places.extend(message.fields.iter_mut().map(|field| &mut field.at));
            places.extend(message.oneofs.iter_mut().map(|oneof| &mut oneof.at));
        }
        for enumeration in &mut self.enums {
            places.push(&mut enumeration.at);
            places.extend(enumeration.values.iter_mut().map(|value| &mut value.at));
        }
        for service in &mut self.services {
            places.push(&mut service.at);
            places.extend(service.methods.iter_mut().map(|method| &mut method.at));
        }
        places.extend(
            self.extensions
                .iter_mut()
                .map(|extension| &mut extension.at),
        );
        if !lines.is_empty() && lines.len() != places.len() {
            return Err(format!(
                "`{}` has {} elements, but its `lines` are {}",
                self.name,
                places.len(),
                lines.len()
            ));
        }
        for (place, line) in places.into_iter().zip(lines) {
            place.line = line;
        }
        Ok(())
    }
}

fn syntax(tokens: &mut Tokens<'_>) -> Result<Syntax, String> {
    match tokens.word("a syntax")? {
        "proto2" => Ok(Syntax::Proto2),
        "proto3" => Ok(Syntax::Proto3),
        "edition" => tokens.number("an edition").map(Syntax::Edition),
        other => Err(format!("there is no syntax `{other}`")),
    }
}

fn message(name: String, syntax: Syntax, tokens: &mut Tokens<'_>) -> Result<Message, String> {
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

fn enumeration(name: String, syntax: Syntax, tokens: &mut Tokens<'_>) -> Result<Enum, String> {
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

fn method(tokens: &mut Tokens<'_>) -> Result<Method, String> {
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

fn reserved(tokens: &mut Tokens<'_>, reserved: &mut Reserved) -> Result<(), String> {
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

fn ranges(tokens: &mut Tokens<'_>, ranges: &mut Vec<Range>) -> Result<(), String> {
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
fn lines(tokens: &mut Tokens<'_>, lines: &mut Vec<u32>) -> Result<(), String> {
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

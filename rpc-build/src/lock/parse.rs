//! Text into a lock.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::model::{At, Cardinality, Enum, FILE_OPTIONS, File, Message, Oneof, Service, Value};
use super::parse_block::{enumeration, lines, message, method, ranges, reserved, syntax};
use super::parse_field;
use super::tokens::Tokens;
use super::{ACCEPT_VARIABLE, END, FILE_NAME, HAS_END, Lock, VERSION};
use crate::diagnostic::{Diagnostic, Label};
use crate::source::Span;

pub(super) fn parse(text: &str) -> Result<Lock, Box<Diagnostic>> {
    check_whole(text)?;
    let mut parser = Parser::default();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            let start = offset + line.len() - line.trim_start().len();
            parser
                .line(content)
                .map_err(|message| mistake(message, start..start + content.len()))?;
        }
        offset += line.len();
    }
    let end = text.trim_end().len();
    parser
        .finish_file()
        .map_err(|message| mistake(message, end..end))?;
    Ok(parser.lock)
}

fn mistake(message: String, bytes: std::ops::Range<usize>) -> Box<Diagnostic> {
    let mut diagnostic = Diagnostic::error(message).help(format!(
        "`{FILE_NAME}` is not written by hand: restore it (`git checkout -- {FILE_NAME}`), or delete it and release the \
         schema anew with `{ACCEPT_VARIABLE}=1 cargo build`, which compares it with nothing"
    ));
    diagnostic.primary = Some(Label {
        span: Span {
            file: FILE_NAME.into(),
            bytes,
        },
        text: String::new(),
    });
    Box::new(diagnostic)
}

/// What makes a lock unreadable as a whole.
fn check_whole(text: &str) -> Result<(), Box<Diagnostic>> {
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
        let whole = text.trim_end();
        // Earlier ones had no end.
        let has_end = text.lines().any(|line| line.trim_end() == HAS_END);
        if has_end && whole.lines().last() != Some(END) {
            let message = format!("this schema lock is cut off: its last line is not `{END}`");
            return Err(mistake(message, whole.len()..whole.len()));
        }
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
    /// The same of the values, the methods or the numbers of fields of this block.
    members: HashSet<String>,
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
        if !self.members.insert(name.clone()) {
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
                if !self.members.insert(method.name.clone()) {
                    return Err(format!("`{}` is in this service twice", method.name));
                }
                block.methods.push(method);
                Ok(())
            }
            (Block::Message(_), _) => self.field(tokens),
            _ => Err(format!("`{first}` has no meaning here")),
        }
    }

    fn field(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        let (Block::Message(block), Some(file)) = (&mut self.block, &mut self.file) else {
            return Err("a field stands below a `message`".to_owned());
        };
        let (field, entry) = parse_field::field(tokens, file, &block.name, block.legacy_json)?;
        if !self.members.insert(field.number.to_string()) {
            return Err(format!("field {} is in this message twice", field.number));
        }
        file.messages.extend(entry);
        block.fields.push(field);
        Ok(())
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
        self.members.clear();
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
            file.set_lines(lines);
            file.messages.sort_by(|a, b| a.name.cmp(&b.name));
            for message in &mut file.messages {
                message.fields.sort_by_key(|field| field.number);
            }
            self.lock.files.insert(file.name.clone(), file);
        }
        Ok(())
    }
}

impl File {
    /// Gives the elements their lines, in the order in which they were written.
    fn set_lines(&mut self, lines: Vec<u32>) {
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
        // A merge may take an element from each side, and only one side's lines. They are for messages alone.
        let lines = match lines.len() == places.len() {
            true => lines,
            false => Vec::new(),
        };
        for (place, line) in places.into_iter().zip(lines) {
            place.line = line;
        }
        self.place_map_entries();
    }

    /// A map entry is where its field is.
    fn place_map_entries(&mut self) {
        let fields = self.messages.iter().flat_map(|message| &message.fields);
        let places: HashMap<_, _> = fields
            .filter(|field| field.cardinality == Cardinality::Map)
            .map(|field| (field.type_name.clone(), field.at.clone()))
            .collect();
        let package = self.package.clone();
        for entry in self.messages.iter_mut().filter(|message| message.map_entry) {
            let name = match package.as_str() {
                "" => format!(".{}", entry.name),
                package => format!(".{package}.{}", entry.name),
            };
            if let Some(at) = places.get(&name) {
                for field in &mut entry.fields {
                    field.at = at.clone();
                }
                entry.at = at.clone();
            }
        }
    }
}

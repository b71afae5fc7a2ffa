//! What is changed in a text before it is parsed, for what the parser does not know, and how it is changed back in what was
//! parsed.

use std::collections::HashMap;
use std::ops::Range;

use buffa_descriptor::generated::descriptor::descriptor_proto::ExtensionRange;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::scan::{self, Kind, Token};
use crate::check::MAX_NUMBER;
use crate::elements::below;
use crate::source::SourceFile;
use crate::tag;

/// `extensions 4 [ … ]` becomes `extensions 4 to 4 [ … ]`, as the parser takes options only behind a range; `option (x) = -inf`
/// gets a number that is as large, and `-nan` no sign. Extensions of message sets get a number that fields have, and in
/// strings `\400` becomes `\000`, of which `protoc` makes the same byte.
pub(super) struct Edits(Vec<Edit>);

struct Edit {
    /// What is replaced; may be empty.
    bytes: Range<usize>,
    /// At least as long.
    text: String,
    /// The number that the text stands for.
    number: Option<i32>,
}

impl Edits {
    pub(super) fn new(text: &str) -> Self {
        let mut scanner = Scanner::default();
        let words = ["exten", "inf", "nan", "\\"];
        if words.iter().any(|word| text.contains(word)) {
            scan::code(text).for_each(|token| scanner.token(&token));
        }
        Self(scanner.edits)
    }

    pub(super) fn apply(&self, text: &str) -> String {
        let mut edited = text.to_owned();
        for edit in self.0.iter().rev() {
            edited.replace_range(edit.bytes.clone(), &edit.text);
        }
        edited
    }

    /// Where a place of the edited text is in the original one.
    pub(super) fn original(&self, edited: usize) -> usize {
        // How far the edits so far moved what follows them; they only make a text longer.
        let mut moved = 0;
        for edit in &self.0 {
            let start = edit.bytes.start + moved;
            if edited <= start {
                break;
            }
            if edited < start + edit.text.len() {
                return edit.bytes.start;
            }
            moved += edit.text.len() - edit.bytes.len();
        }
        edited - moved
    }

    /// Makes all locations and numbers those of the original text.
    pub(super) fn restore(
        &self,
        file: &mut FileDescriptorProto,
        source: &SourceFile,
        edited: &str,
    ) {
        if self.0.is_empty() {
            return;
        }
        let edited = SourceFile::new(&source.name, None, Some(edited.into()));
        let large = self.0.iter();
        let large: HashMap<usize, i32> = large
            .filter_map(|edit| Some((edit.bytes.start, edit.number?)))
            .collect();
        let mut numbers = HashMap::new();
        let Some(info) = file.source_code_info.as_option_mut() else {
            return;
        };
        for location in &mut info.location {
            let Some(span) = edited.span(&location.span) else {
                continue;
            };
            let start = self.original(span.bytes.start);
            if let Some(number) = large.get(&start) {
                numbers.insert(location.path.clone(), *number);
            }
            let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
            let (line, from) = source.line_and_byte(start);
            let (last, to) = source.line_and_byte(self.original(span.bytes.end));
            location.span = match line == last {
                true => vec![number(line), number(from), number(to)],
                false => vec![number(line), number(from), number(last), number(to)],
            };
        }
        if !numbers.is_empty() {
            Numbers(numbers).restore(file);
        }
    }
}

#[derive(Default)]
struct Scanner<'a> {
    edits: Vec<Edit>,
    /// The three tokens before.
    before: [&'a str; 3],
    /// Where the last of them is.
    last: Range<usize>,
    extends: Extends<'a>,
    /// What is open, the innermost last.
    open: Vec<Open>,
    /// Whether `extensions` was the last token; the word may be a name, too.
    is_begun: bool,
    is_in_ranges: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Open {
    Extend,
    Else,
}

impl<'a> Scanner<'a> {
    fn token(&mut self, token: &Token<'a>) {
        if std::mem::take(&mut self.is_begun) {
            self.is_in_ranges = token.kind == Kind::Number;
        }
        let is_extend = self.extends.opens(token);
        match token.text {
            "extensions" if matches!(self.before[2], "{" | "}" | ";") => self.is_begun = true,
            ";" | "{" | "}" => self.is_in_ranges = false,
            "[" if self.is_in_ranges => self.end_ranges(),
            "inf" if self.is_option() => self.edit(token.bytes.clone(), "9e999"),
            // What is no number has no sign.
            "nan" if self.is_option() => self.edit(self.last.clone(), " "),
            _ => {}
        }
        match token.text {
            "{" if is_extend => self.open.push(Open::Extend),
            "{" | "[" => self.open.push(Open::Else),
            "}" | "]" => drop(self.open.pop()),
            _ => {}
        }
        match token.kind {
            Kind::Number if self.is_in_ranges || self.is_number() => self.number(token),
            Kind::Text => self.text(token),
            _ => {}
        }
        self.before = [self.before[1], self.before[2], token.text];
        self.last = token.bytes.clone();
    }

    fn edit(&mut self, bytes: Range<usize>, text: &str) {
        self.edits.push(Edit {
            bytes,
            text: text.to_owned(),
            number: None,
        });
    }

    /// Whether an option has this value with a minus in front. A default may be infinite.
    fn is_option(&self) -> bool {
        self.before[1..] == ["=", "-"] && self.before[0] != "default"
    }

    /// Whether this is the number of an extension.
    fn is_number(&self) -> bool {
        self.before[2] == "=" && self.open.last() == Some(&Open::Extend)
    }

    fn number(&mut self, token: &Token<'_>) {
        if let Some(number) = large(token.text) {
            self.edits.push(Edit {
                bytes: token.bytes.clone(),
                text: one(token.text.len()),
                number: Some(number),
            });
        }
    }

    /// Makes a range of one number, before its options.
    fn end_ranges(&mut self) {
        self.is_in_ranges = false;
        let [_, to, last] = self.before;
        if to == "to" || !last.starts_with(|first: char| first.is_ascii_digit()) {
            return;
        }
        let number = large(last);
        let text = match number {
            Some(_) => format!(" to {}", one(last.len())),
            None => format!(" to {last}"),
        };
        self.edits.push(Edit {
            bytes: self.last.end..self.last.end,
            text,
            number,
        });
    }

    /// Three octal digits may be more than a byte, of which `protoc` takes the lower eight bits.
    fn text(&mut self, token: &Token<'_>) {
        let mut rest = token.text.as_bytes();
        let mut at = token.bytes.start;
        while let Some(escape) = rest.iter().position(|byte| *byte == b'\\') {
            let is_octal = |byte: Option<&u8>| byte.is_some_and(|it| (b'0'..=b'7').contains(it));
            if let Some(first @ b'4'..=b'7') = rest.get(escape + 1)
                && is_octal(rest.get(escape + 2))
                && is_octal(rest.get(escape + 3))
            {
                let digit = at + escape + 1;
                self.edit(digit..digit + 1, &char::from(first - 4).to_string());
            }
            let next = rest.len().min(escape + 2);
            rest = &rest[next..];
            at += next;
        }
    }
}

/// A number that only extensions of message sets have.
fn large(text: &str) -> Option<i32> {
    let number = match (text.strip_prefix("0x"), text.strip_prefix("0X")) {
        (Some(digits), _) | (_, Some(digits)) => i32::from_str_radix(digits, 16),
        _ if text.starts_with('0') => i32::from_str_radix(text, 8),
        _ => text.parse(),
    };
    let number = number.ok()?;
    (MAX_NUMBER < number && number < i32::MAX).then_some(number)
}

/// One, in as many letters: what is large takes at least nine.
fn one(length: usize) -> String {
    format!("0x{:0>width$}", 1, width = length.saturating_sub(2))
}

/// Finds where an `extend` begins. A value of an enum and a field of an option may have this name too.
pub(super) struct Extends<'a> {
    last: &'a str,
    at: At,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Else,
    Keyword,
    Name,
}

impl Default for Extends<'_> {
    fn default() -> Self {
        Self {
            last: ";",
            at: At::Else,
        }
    }
}

impl<'a> Extends<'a> {
    /// Whether this token is the brace behind the name of what is extended.
    pub(super) fn opens(&mut self, token: &Token<'a>) -> bool {
        let opens = self.at == At::Name && token.text == "{";
        self.at = match (self.at, token.text) {
            (At::Else, "extend") if matches!(self.last, ";" | "{" | "}") => At::Keyword,
            (At::Keyword | At::Name, name) if name == "." || token.kind == Kind::Word => At::Name,
            _ => At::Else,
        };
        self.last = token.text;
        opens
    }
}

/// The numbers that were taken out, by the paths of their places.
struct Numbers(HashMap<Vec<i32>, i32>);

impl Numbers {
    fn restore(&self, file: &mut FileDescriptorProto) {
        for (message, index) in file.message_type.iter_mut().zip(0..) {
            self.message(message, &[tag::file::MESSAGE, index]);
        }
        self.extensions(&mut file.extension, &[tag::file::EXTENSION]);
    }

    fn message(&self, message: &mut DescriptorProto, path: &[i32]) {
        for (nested, index) in message.nested_type.iter_mut().zip(0..) {
            self.message(nested, &below(path, &[tag::message::NESTED, index]));
        }
        let extensions = below(path, &[tag::message::EXTENSION]);
        self.extensions(&mut message.extension, &extensions);
        for (range, index) in message.extension_range.iter_mut().zip(0..) {
            self.range(range, &below(path, &[tag::message::EXTENSION_RANGE, index]));
        }
    }

    fn extensions(&self, extensions: &mut [FieldDescriptorProto], path: &[i32]) {
        for (extension, index) in extensions.iter_mut().zip(0..) {
            let path = below(path, &[index, tag::field::NUMBER]);
            extension.number = self.0.get(&path).copied().or(extension.number);
        }
    }

    fn range(&self, range: &mut ExtensionRange, path: &[i32]) {
        let of = |step: i32| self.0.get(&below(path, &[step])).copied();
        range.start = of(tag::range::START).or(range.start);
        range.end = of(tag::range::END).map(|last| last + 1).or(range.end);
    }
}

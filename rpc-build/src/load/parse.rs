//! The text of one file into its descriptor, before names are resolved.

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::FileDescriptorProto;
use prost_reflect::prost::Message as _;

use super::scan::{self, Kind, Token};
use super::wording;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};

/// How deep brackets may nest. The parser calls itself at each, and so the stack is the limit otherwise; `protoc` stops at 32 messages.
const MAX_DEPTH: usize = 200;

/// Parses a file.
pub(super) fn parse(source: &SourceFile) -> Result<FileDescriptorProto, Vec<Diagnostic>> {
    let text = source.text.as_deref().unwrap_or_default();
    if let Some(mistake) = edition(source, text).or_else(|| too_deep(source, text)) {
        return Err(vec![mistake]);
    }
    let edits = Edits::new(text);
    let edited = edits.apply(text);
    let parsed = protox_parse::parse(&source.name, &edited).map_err(|error| {
        let mut mistakes = Vec::new();
        wording::translate(&error, &mut mistakes, |bytes| Span {
            file: source.name.clone(),
            bytes: edits.original(bytes.start)..edits.original(bytes.end),
        });
        for mistake in &mut mistakes {
            if mistake.primary.is_none() {
                at_the_end(mistake, source, text);
            }
        }
        mistakes
    })?;
    let mut file = FileDescriptorProto::decode_from_slice(&parsed.encode_to_vec())
        .map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    edits.restore(&mut file, source, &edited);
    Ok(file)
}

fn span(source: &SourceFile, token: &Token<'_>) -> Option<Span> {
    Some(Span {
        file: source.name.clone(),
        bytes: token.bytes.clone(),
    })
}

/// No parser in Rust reads editions yet.
fn edition(source: &SourceFile, text: &str) -> Option<Diagnostic> {
    let mut code = scan::code(text);
    let first = code.next().filter(|token| token.text == "edition")?;
    code.next().filter(|token| token.text == "=")?;
    let edition = code.next().filter(|token| token.kind == Kind::Text)?;
    let shown = source.shown();
    Some(
        Diagnostic::error(format!("files with `edition = {}` cannot be read as text yet", edition.text))
            .at(span(source, &first), "")
            .help(format!("give a descriptor set instead: `buf build -o schema.binpb` or `protoc --include_imports --descriptor_set_out=schema.binpb {shown}`"))
            .help("or write `syntax = \"proto3\";`, if the file needs nothing of editions"),
    )
}

fn too_deep(source: &SourceFile, text: &str) -> Option<Diagnostic> {
    let mut depth = 0_usize;
    let deep = scan::code(text).find(|token| {
        match token.text {
            "{" | "[" | "<" | "(" => depth += 1,
            "}" | "]" | ">" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })?;
    Some(
        Diagnostic::error(format!("brackets nest more than {MAX_DEPTH} deep"))
            .at(span(source, &deep), "")
            .help("move inner declarations out"),
    )
}

/// Places a mistake that was noticed when there was nothing more to read.
fn at_the_end(mistake: &mut Diagnostic, source: &SourceFile, text: &str) {
    let at = |bytes| {
        Some(Span {
            file: source.name.clone(),
            bytes,
        })
    };
    let mut open = Vec::new();
    for token in scan::code(text) {
        match token.text {
            "{" => open.push(token.bytes),
            "}" => drop(open.pop()),
            _ => {}
        }
    }
    let end = Diagnostic::error("").at(at(text.len()..text.len()), "the file ends here");
    mistake.primary = end.primary;
    if let Some(bytes) = open.pop() {
        let opened = Diagnostic::error("").and_at(at(bytes), "this is not closed");
        mistake.secondary.extend(opened.secondary);
    }
}

/// What is put into a text before it is parsed: `extensions 4 [ … ]` is written ` 4 to 4 [ … ]`, as the parser takes options
/// only behind a range.
struct Edits(Vec<Edit>);

struct Edit {
    at: usize,
    text: String,
}

impl Edits {
    fn new(text: &str) -> Self {
        let mut edits = Vec::new();
        if !text.contains("extensions") {
            return Self(edits);
        }
        let mut is_in_ranges = false;
        let mut before: [Option<Token<'_>>; 2] = [None, None];
        for token in scan::code(text) {
            let is_after = |word: &[&str]| {
                before[1]
                    .as_ref()
                    .is_none_or(|token| word.contains(&token.text))
            };
            match token.text {
                "extensions" if is_after(&["{", "}", ";"]) => is_in_ranges = true,
                ";" | "{" | "}" => is_in_ranges = false,
                "[" if is_in_ranges => {
                    is_in_ranges = false;
                    if let [Some(left), Some(number)] = &before
                        && number.kind == Kind::Number
                        && left.text != "to"
                    {
                        edits.push(Edit {
                            at: number.bytes.end,
                            text: format!(" to {}", number.text),
                        });
                    }
                }
                _ => {}
            }
            let [_, last] = before;
            before = [last, Some(token)];
        }
        Self(edits)
    }

    fn apply(&self, text: &str) -> String {
        let mut edited = text.to_owned();
        for edit in self.0.iter().rev() {
            edited.insert_str(edit.at, &edit.text);
        }
        edited
    }

    /// Where a place of the edited text is in the original one.
    fn original(&self, edited: usize) -> usize {
        let mut added = 0;
        for edit in &self.0 {
            if edited <= edit.at + added {
                break;
            }
            if edited < edit.at + added + edit.text.len() {
                return edit.at;
            }
            added += edit.text.len();
        }
        edited - added
    }

    /// Makes all locations those of the original text.
    fn restore(&self, file: &mut FileDescriptorProto, source: &SourceFile, edited: &str) {
        if self.0.is_empty() {
            return;
        }
        let edited = SourceFile::new(&source.name, None, Some(edited.into()));
        let Some(info) = file.source_code_info.as_option_mut() else {
            return;
        };
        for location in &mut info.location {
            let Some(span) = edited.span(&location.span) else {
                continue;
            };
            let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
            let (line, from) = source.line_and_byte(self.original(span.bytes.start));
            let (last, to) = source.line_and_byte(self.original(span.bytes.end));
            location.span = match line == last {
                true => vec![number(line), number(from), number(to)],
                false => vec![number(line), number(from), number(last), number(to)],
            };
        }
    }
}

/// Where `text` imports a file. Its locations are not at hand while it is being read.
pub(super) fn import_of(file: &str, text: &str, name: &str) -> Option<Span> {
    let mut is_import = false;
    let token = scan::code(text).find(|token| {
        match token.text {
            "import" => is_import = true,
            ";" => is_import = false,
            _ => {}
        }
        is_import
            && token.kind == Kind::Text
            && token.text.get(1..token.text.len() - 1) == Some(name)
    })?;
    Some(Span {
        file: file.into(),
        bytes: token.bytes,
    })
}

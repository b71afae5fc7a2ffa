//! The text of one file into its descriptor, before names are resolved.

use std::collections::HashSet;
use std::ops::Range;

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
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
    let empty = empty_extend(source, text);
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
        mistakes.extend(empty.clone());
        mistakes
    })?;
    if let Some(mistake) = empty {
        return Err(vec![mistake]);
    }
    let mut file = FileDescriptorProto::decode_from_slice(&parsed.encode_to_vec())
        .map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    edits.restore(&mut file, source, &edited);
    file.message_type.iter_mut().for_each(name_synthetic);
    Ok(file)
}

fn span(source: &SourceFile, token: &Token<'_>) -> Option<Span> {
    Some(Span {
        file: source.name.clone(),
        bytes: token.bytes.clone(),
    })
}

/// Whether a file begins with an `edition`.
pub(super) fn has_edition(source: &SourceFile) -> bool {
    let text = source.text.as_deref();
    text.is_some_and(|text| edition(source, text).is_some())
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

/// The parser takes these without a word, and leaves nothing of them. A value of an enum and a field of an option may have the
/// name `extend` too.
fn empty_extend(source: &SourceFile, text: &str) -> Option<Diagnostic> {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Else,
        Extend,
        Name,
        Open,
    }
    let mut last = ";";
    let mut at = At::Else;
    let closed = scan::code(text).find(|token| {
        at = match (at, token.text) {
            (At::Else, "extend") if matches!(last, ";" | "{" | "}") => At::Extend,
            (At::Extend | At::Name, name) if name == "." || token.kind == Kind::Word => At::Name,
            (At::Name, "{") => At::Open,
            (At::Open, "}") => return true,
            _ => At::Else,
        };
        last = token.text;
        false
    })?;
    Some(
        Diagnostic::error("`extend` must have at least one field")
            .at(span(source, &closed), "")
            .help("add a field, or remove the `extend`"),
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

/// Names the `oneof`s that stand for `optional` fields of proto3 as `protoc` does: `_name`, with as many `X` in front as it takes
/// to be the only one (`GenerateSyntheticOneofs` in `parser.cc`).
fn name_synthetic(message: &mut DescriptorProto) {
    message.nested_type.iter_mut().for_each(name_synthetic);
    let is_synthetic = |field: &&FieldDescriptorProto| field.proto3_optional == Some(true);
    let index = |field: &FieldDescriptorProto| usize::try_from(field.oneof_index?).ok();
    let synthetic: Vec<_> = message
        .field
        .iter()
        .filter(is_synthetic)
        .filter_map(|field| Some((index(field)?, field.name.clone()?)))
        .collect();
    let own = message
        .oneof_decl
        .iter()
        .enumerate()
        .filter(|(at, _)| synthetic.iter().all(|(index, _)| index != at));
    let names = message
        .field
        .iter()
        .map(|field| &field.name)
        .chain(own.map(|(_, oneof)| &oneof.name));
    let mut taken: HashSet<String> = names.flatten().cloned().collect();
    for (index, field) in synthetic {
        let mut name = match field.starts_with('_') {
            true => field,
            false => format!("_{field}"),
        };
        while !taken.insert(name.clone()) {
            name.insert(0, 'X');
        }
        if let Some(oneof) = message.oneof_decl.get_mut(index) {
            oneof.name = Some(name);
        }
    }
}

/// What is changed in a text before it is parsed, for what the parser does not know: `extensions 4 [ … ]` becomes
/// `extensions 4 to 4 [ … ]`, as it takes options only behind a range; `option (x) = -inf` gets a number that is as large, and
/// `-nan` no sign.
struct Edits(Vec<Edit>);

struct Edit {
    /// What is replaced; may be empty.
    bytes: Range<usize>,
    text: String,
}

impl Edits {
    fn new(text: &str) -> Self {
        let mut edits = Vec::new();
        if !text.contains("extensions") && !text.contains("inf") && !text.contains("nan") {
            return Self(edits);
        }
        // The word may be a name, too.
        let (mut is_begun, mut is_in_ranges) = (false, false);
        // The three tokens before.
        let mut before = ["", "", ""];
        let (mut number_end, mut sign) = (0, 0..0);
        for token in scan::code(text) {
            if std::mem::take(&mut is_begun) {
                is_in_ranges = token.kind == Kind::Number;
            }
            match token.text {
                "extensions" if matches!(before[2], "{" | "}" | ";") => is_begun = true,
                ";" | "{" | "}" => is_in_ranges = false,
                "[" if is_in_ranges => {
                    is_in_ranges = false;
                    if before[1] != "to"
                        && before[2].starts_with(|first: char| first.is_ascii_digit())
                    {
                        edits.push(Edit {
                            bytes: number_end..number_end,
                            text: format!(" to {}", before[2]),
                        });
                    }
                }
                // A default may be infinite.
                "inf" if before[1..] == ["=", "-"] && before[0] != "default" => edits.push(Edit {
                    bytes: token.bytes.clone(),
                    text: "9e999".to_owned(),
                }),
                // What is no number has no sign.
                "nan" if before[1..] == ["=", "-"] && before[0] != "default" => edits.push(Edit {
                    bytes: sign.clone(),
                    text: " ".to_owned(),
                }),
                _ => {}
            }
            number_end = token.bytes.end;
            sign = token.bytes.clone();
            before = [before[1], before[2], token.text];
        }
        Self(edits)
    }

    fn apply(&self, text: &str) -> String {
        let mut edited = text.to_owned();
        for edit in self.0.iter().rev() {
            edited.replace_range(edit.bytes.clone(), &edit.text);
        }
        edited
    }

    /// Where a place of the edited text is in the original one.
    fn original(&self, edited: usize) -> usize {
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

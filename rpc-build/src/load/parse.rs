//! The text of one file into its descriptor, before names are resolved.

use std::collections::HashSet;

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use prost_reflect::prost::Message as _;

use super::edits::{Edits, Extends};
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
    if let Some(mistake) = empty.or_else(|| suffixed_float(source, text)) {
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

/// The parser takes these without a word, and leaves nothing of them.
fn empty_extend(source: &SourceFile, text: &str) -> Option<Diagnostic> {
    let (mut extends, mut is_open) = (Extends::default(), false);
    let closed = scan::code(text).find(|token| {
        let is_empty = is_open && token.text == "}";
        is_open = extends.opens(token);
        is_empty
    })?;
    Some(
        Diagnostic::error("`extend` must have at least one field")
            .at(span(source, &closed), "")
            .help("add a field, or remove the `extend`"),
    )
}

/// The parser takes `1.5f` in the value of an option, as the text format does, and `protoc` takes it nowhere.
fn suffixed_float(source: &SourceFile, text: &str) -> Option<Diagnostic> {
    let suffixed = scan::code(text).find(|token| {
        token.kind == Kind::Number
            && token.text.ends_with(['f', 'F'])
            && !token.text.starts_with("0x")
            && !token.text.starts_with("0X")
    })?;
    Some(
        Diagnostic::error("a number does not end in `f` here")
            .at(span(source, &suffixed), "")
            .help("leave the `f` out: the option knows its type"),
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
    let indices: HashSet<usize> = synthetic.iter().map(|(index, _)| *index).collect();
    let own = message.oneof_decl.iter().enumerate();
    let own = own.filter(|(at, _)| !indices.contains(at));
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

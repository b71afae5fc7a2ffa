//! The parser's and the linker's messages in our words.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Takes a report apart: one diagnostic for each mistake in it. `place` turns the bytes of a label into a span.
pub(super) fn translate(
    report: &dyn miette::Diagnostic,
    mistakes: &mut Vec<Diagnostic>,
    place: impl Fn(Range<usize>) -> Span + Copy,
) {
    let advice = report.help().map(|help| help.to_string());
    // The parser says this with the words of another mistake.
    let is_import = advice
        .as_deref()
        .is_some_and(|advice| advice.starts_with("imports may not contain"));
    let found = match is_import {
        true => "invalid import".to_owned(),
        false => report.to_string(),
    };
    let (message, help) = reword(&found);
    let mut mistake = Diagnostic::error(message);
    mistake.help.extend(help.map(str::to_owned));
    let advice = advice.filter(|_| help.is_none());
    mistake.help.extend(advice.map(|advice| backticks(&advice)));
    let cause = report.diagnostic_source().map(ToString::to_string);
    mistake.notes.extend(cause.map(|cause| backticks(&cause)));
    // The first use is a place to compare with; the mistake is where it is used again.
    let mut labels: Vec<_> = report.labels().into_iter().flatten().collect();
    if let Some(again) = labels
        .iter()
        .position(|label| is_second(label.label().unwrap_or_default()))
    {
        labels.swap(0, again);
    }
    for (index, label) in labels.iter().enumerate() {
        let span = Some(place(label.offset()..label.offset() + label.len()));
        let text = match label.label().unwrap_or_default() {
            "found here" | "defined here" => "",
            text => text.trim_matches('…'),
        };
        mistake = match index {
            0 => mistake.at(span, text),
            _ => mistake.and_at(span, text),
        };
    }
    mistakes.push(mistake);
    for related in report.related().into_iter().flatten() {
        translate(related, mistakes, place);
    }
}

fn is_second(label: &str) -> bool {
    matches!(
        label,
        "defined again here" | "…and again here" | "found here" | "defined here"
    )
}

/// Message and advice for what reads badly as it is. Each is found by how it begins.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "invalid import",
        "this is no path that can be imported",
        "write the path from the include folder on, without `.`, `..`, backslashes or empty parts",
    ),
    (
        "message numbers must be between",
        "field numbers begin at 1 and end at 536870911",
        "write a number in between",
    ),
    (
        "fields must have a label with proto2 syntax",
        "a field of a proto2 file needs a label",
        "write `optional`, `repeated` or `required` before its type",
    ),
    (
        "groups are not allowed in proto3 syntax",
        "groups are not allowed in proto3",
        "declare a message, and a field of its type",
    ),
    (
        "required fields are not allowed in proto3 syntax",
        "`required` is not allowed in proto3",
        "leave it out; `optional` lets a reader see whether the field was set",
    ),
    (
        "default values are not allowed in proto3",
        "default values are not allowed in proto3",
        "leave `default` out: every proto3 field has the default of its type",
    ),
    (
        "oneof fields cannot have labels",
        "a field in a `oneof` has no label",
        "leave the label out: a field of a `oneof` is optional as it is",
    ),
    (
        "map fields cannot have labels",
        "a `map` field has no label",
        "leave the label out: a map is repeated as it is",
    ),
    (
        "a map field key type must be",
        "the key of a `map` must be an integer, a `bool` or a `string`",
        "use such a type, or a repeated message with two fields",
    ),
    (
        "a oneof must have at least one field",
        "a `oneof` must have at least one field",
        "add a field, or remove the `oneof`",
    ),
    (
        "extension fields may not be required",
        "an extension cannot be `required`",
        "write `optional`: readers that do not know the extension could not fill it in",
    ),
    (
        "multiple package names specified",
        "a second `package`",
        "a file has one package: remove one of the two",
    ),
    (
        "unterminated string",
        "a string is not closed on its line",
        "close it with the quote that it began with",
    ),
    (
        "nested block comments are not supported",
        "`/*` inside of a block comment",
        "block comments do not nest: use `//`, or end the outer one first",
    ),
    (
        "whitespace is required between an integer literal",
        "a number runs into a word",
        "put a space between them",
    ),
    (
        "'#' comments are not allowed here",
        "`#` does not begin a comment",
        "write `//`",
    ),
    (
        "invalid string escape",
        "an unknown escape in a string",
        "write `\\\\` for a backslash",
    ),
    (
        "invalid token",
        "a character that has no meaning here",
        "remove it, or put it into a string or a comment",
    ),
];

fn reword(found: &str) -> (String, Option<&'static str>) {
    if let Some((_, message, help)) = WORDS.iter().find(|(begin, ..)| found.starts_with(begin)) {
        return ((*message).to_owned(), Some(help));
    }
    // Names of options are full names by now.
    let message = backticks(found)
        .replace("(.", "(")
        .replace(", but found ", ", found ")
        .replace(", but reached end of file", ", found the end of the file");
    (message, None)
}

/// `'x'` becomes `` `x` ``.
fn backticks(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\'') {
        let (before, quoted) = rest.split_at(start);
        let is_begin = !before.ends_with(|last: char| last.is_alphanumeric());
        let end = quoted[1..]
            .find('\'')
            .map(|end| end + 1)
            .filter(|end| *end > 1 && is_begin);
        result.push_str(before);
        let Some(end) = end else {
            result.push('\'');
            rest = &quoted[1..];
            continue;
        };
        result.extend(["`", &quoted[1..end], "`"]);
        rest = &quoted[end + 1..];
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_become_backticks() {
        assert_eq!(
            backticks("expected '=' or '.', found 'a'"),
            "expected `=` or `.`, found `a`"
        );
        assert_eq!(backticks("it doesn't, isn't"), "it doesn't, isn't");
    }
}

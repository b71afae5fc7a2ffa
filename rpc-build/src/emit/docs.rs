//! Comments of a schema as documentation that rustdoc takes without a warning, and without running it.

use std::borrow::Cow;

use proc_macro2::TokenStream;
use quote::quote;

/// A comment as attributes, one a line. Its text has no markers of comments any more.
pub(crate) fn expand_docs(comment: &str) -> TokenStream {
    lines(comment)
        .into_iter()
        .map(|line| quote! { #[doc = #line] })
        .collect()
}

/// A comment without what rustc takes in none: returns that no new line follows, and what turns the direction of text.
pub(crate) fn clean(comment: &str) -> Cow<'_, str> {
    let is_turn = |it: char| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !comment.contains(|it| it == '\r' || is_turn(it)) {
        return Cow::Borrowed(comment);
    }
    let lines = comment.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(lines.replace(is_turn, ""))
}

/// The lines of the documentation, each as it stands behind `///`.
fn lines(comment: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fence: Option<String> = None;
    let mut is_indented_block = false;
    let mut was_blank = true;
    for line in dedent(comment) {
        if let Some(marker) = &fence {
            if closes(&line, marker) {
                fence = None;
            }
            lines.push(line);
            continue;
        }
        // Indented text after a blank line is code to markdown, and Rust to rustdoc.
        let is_indented = line.starts_with("    ") || line.starts_with('\t');
        if is_indented_block && !is_indented && !line.trim().is_empty() {
            close_block(&mut lines);
            is_indented_block = false;
        }
        if is_indented && was_blank && !is_indented_block {
            lines.push("```text".to_owned());
            is_indented_block = true;
        }
        was_blank = line.trim().is_empty();
        if is_indented_block {
            lines.push(strip_indent(&line).to_owned());
        } else if let Some((marker, opening)) = open_fence(&line) {
            fence = Some(marker);
            lines.push(opening);
        } else {
            lines.push(escape(&line));
        }
    }
    if is_indented_block {
        close_block(&mut lines);
    }
    lines.extend(fence);
    lines
        .into_iter()
        .map(|line| {
            if line.is_empty() {
                line
            } else {
                format!(" {line}")
            }
        })
        .collect()
}

/// Ends a block of code before the blank lines that follow it.
fn close_block(lines: &mut Vec<String>) {
    let end = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    lines.insert(end, "```".to_owned());
}

/// Without the space that most people write behind the marker, blank lines at both ends and space at the end of lines.
fn dedent(comment: &str) -> Vec<String> {
    let lines: Vec<&str> = comment.lines().map(str::trim_end).collect();
    let is_spaced = lines
        .iter()
        .all(|line| line.is_empty() || line.starts_with(' '));
    let lines = lines.into_iter().map(|line| match is_spaced {
        true => line.strip_prefix(' ').unwrap_or(line),
        false => line,
    });
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let first = lines
        .iter()
        .position(|line| !line.is_empty())
        .unwrap_or(lines.len());
    let last = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(first, |last| last + 1);
    lines[first..last].to_vec()
}

fn strip_indent(line: &str) -> &str {
    line.strip_prefix("    ")
        .or_else(|| line.strip_prefix('\t'))
        .unwrap_or(line)
}

/// A fence, and how it opens a block that is not taken for Rust.
fn open_fence(line: &str) -> Option<(String, String)> {
    let trimmed = line.trim_start();
    let marker = ["```", "~~~"]
        .into_iter()
        .find(|marker| trimmed.starts_with(marker))?;
    let letter = marker.chars().next()?;
    let length = trimmed.chars().take_while(|it| *it == letter).count();
    let fence = &trimmed[..length];
    let language = trimmed[length..].trim();
    // A tag that rustdoc does not know makes the block something else than Rust.
    let is_plain = !language.is_empty()
        && language
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '+'));
    let tag = if is_plain && !is_rust(language) {
        language
    } else {
        "text"
    };
    Some((fence.to_owned(), format!("{fence}{tag}")))
}

/// Whether a line ends a block, for which a longer fence will do.
fn closes(line: &str, marker: &str) -> bool {
    let line = line.trim();
    line.starts_with(marker) && line.chars().all(|it| marker.starts_with(it))
}

/// Whether rustdoc takes a block for Rust because of this tag.
fn is_rust(language: &str) -> bool {
    const WORDS: [&str; 6] = [
        "rust",
        "should_panic",
        "no_run",
        "compile_fail",
        "test_harness",
        "allow_fail",
    ];
    // As in `edition2024`, `ignore-wasm`, `standalone_crate` and `E0308`.
    const BEGINNINGS: [&str; 3] = ["edition", "ignore", "standalone"];
    let is_error = language
        .strip_prefix('E')
        .is_some_and(|code| code.len() == 4 && code.bytes().all(|it| it.is_ascii_digit()));
    WORDS.contains(&language) || BEGINNINGS.iter().any(|it| language.starts_with(it)) || is_error
}

/// Makes plain text of what rustdoc would take for a link or a tag, and links of addresses. Code in backticks stays.
fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '`' => take_code(rest),
            '[' => take_link(rest),
            '<' => take_autolink(rest),
            'h' if !escaped.ends_with(|last: char| last.is_alphanumeric()) => take_address(rest),
            _ => 0,
        };
        if taken > 0 {
            let (text, after) = rest.split_at(taken);
            match letter {
                'h' => escaped.extend(["<", text, ">"]),
                _ => escaped.push_str(text),
            }
            rest = after;
            continue;
        }
        if matches!(letter, '[' | ']' | '<' | '>' | '`') {
            escaped.push('\\');
        }
        escaped.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    escaped
}

/// The length of code in backticks.
fn take_code(text: &str) -> usize {
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    let fence = &text[..ticks];
    let closing = text[ticks..].find(fence);
    closing.map_or(0, |at| ticks + at + ticks)
}

/// The length of a link with an address: `[text](https://..)`.
fn take_link(text: &str) -> usize {
    let Some(middle) = text.find("](http") else {
        return 0;
    };
    if text[1..middle].contains(['[', ']', '`', '<']) {
        return 0;
    }
    match text[middle..].find(')') {
        Some(end) if !text[middle + 2..middle + end].contains([' ', '<']) => middle + end + 1,
        _ => 0,
    }
}

/// The length of an address in angle brackets.
fn take_autolink(text: &str) -> usize {
    match text[1..].find('>') {
        Some(end) if text[1..].starts_with("http") && take_address(&text[1..]) == end => end + 2,
        _ => 0,
    }
}

/// The length of an address, without the punctuation of the sentence around it.
fn take_address(text: &str) -> usize {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return 0;
    }
    let end = text.find(|it: char| {
        it.is_whitespace() || matches!(it, '<' | '>' | '`' | '[' | ']' | '"' | '|')
    });
    let address = &text[..end.unwrap_or(text.len())];
    let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', ')']);
    match address.ends_with("//") {
        true => 0,
        false => address.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            lines(" Gets a user.\n\n Twice.\n"),
            [" Gets a user.", "", " Twice."]
        );
        assert_eq!(lines(""), Vec::<String>::new());
        assert_eq!(lines("no space\n here"), [" no space", "  here"]);
    }

    #[test]
    fn what_rustdoc_would_warn_of_is_escaped() {
        let cases = [
            ("[x] and Vec<T>", r" \[x\] and Vec\<T\>"),
            ("`Vec<[u8]>` stays", " `Vec<[u8]>` stays"),
            ("see https://a.b/c.", " see <https://a.b/c>."),
            ("see (https://a.b/c)", " see (<https://a.b/c>)"),
            ("<https://a.b>", " <https://a.b>"),
            ("[docs](https://a.b)", " [docs](https://a.b)"),
            ("[docs](a.md)", r" \[docs\](a.md)"),
            ("a ` alone", r" a \` alone"),
            ("xhttps://a", " xhttps://a"),
        ];
        for (text, expected) in cases {
            assert_eq!(lines(text), [expected], "{text}");
        }
    }

    #[test]
    fn code_is_never_a_doctest() {
        assert_eq!(
            lines(" So:\n\n     let x = 1;\n\n     let y;\n\n End."),
            [
                " So:",
                "",
                " ```text",
                " let x = 1;",
                "",
                " let y;",
                " ```",
                "",
                " End."
            ]
        );
        assert_eq!(lines("```\nx"), [" ```text", " x", " ```"]);
        assert_eq!(lines("```rust\nx\n```"), [" ```text", " x", " ```"]);
        assert_eq!(lines("```json\n[x]\n```"), [" ```json", " [x]", " ```"]);
        for tag in ["edition2021", "ignore-wasm", "E0308", "standalone_crate"] {
            let text = format!("```{tag}\nx\n````\n[y]");
            assert_eq!(
                lines(&text),
                [" ```text", " x", " ````", r" \[y\]"],
                "{tag}"
            );
        }
        assert_eq!(
            lines("- item\n      continued"),
            [" - item", "       continued"]
        );
    }
}

//! The tokens of a `.proto` file, as far as is needed around the parser: to find what it has no words for.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Text,
    Comment,
    Symbol,
}

/// One token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) bytes: Range<usize>,
}

/// All tokens, comments included. Never fails: what is no token is a symbol, what is not closed ends with the line or the file.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '"' | '\'' => (Kind::Text, string(rest, first)),
            '/' if rest.starts_with("//") => (Kind::Comment, line(rest)),
            '/' if rest.starts_with("/*") => (Kind::Comment, block(rest)),
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, word(rest)),
            '0'..='9' => (Kind::Number, word(rest)),
            _ => (Kind::Symbol, first.len_utf8()),
        };
        let bytes = at..at + length;
        at = bytes.end;
        Some(Token {
            kind,
            text: &rest[..length],
            bytes,
        })
    })
}

/// All tokens but comments.
pub(super) fn code(text: &str) -> impl Iterator<Item = Token<'_>> {
    tokens(text).filter(|token| token.kind != Kind::Comment)
}

fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn block(rest: &str) -> usize {
    rest.find("*/").map_or(rest.len(), |end| end + 2)
}

fn word(rest: &str) -> usize {
    rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cover_what_is_not_space() {
        let text = "a1 /* b */ \"c\\\"d\" // e\n= 5.; 'open\nü \"end";
        let found: Vec<_> = tokens(text).map(|token| (token.kind, token.text)).collect();
        assert_eq!(
            found,
            [
                (Kind::Word, "a1"),
                (Kind::Comment, "/* b */"),
                (Kind::Text, "\"c\\\"d\""),
                (Kind::Comment, "// e"),
                (Kind::Symbol, "="),
                (Kind::Number, "5"),
                (Kind::Symbol, "."),
                (Kind::Symbol, ";"),
                (Kind::Text, "'open"),
                (Kind::Symbol, "ü"),
                (Kind::Text, "\"end"),
            ]
        );
    }
}

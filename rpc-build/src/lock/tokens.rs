//! One line of a lock as tokens.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name, a number, a type.
    Word(&'a str),
    /// What stood in quotes.
    Text(String),
    /// One of `= , [ ] ( ) < > { }`.
    Sign(char),
}

/// The tokens of one line, taken one after the other. An `Err` says what was expected instead.
pub(super) struct Tokens<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token<'a>>>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(line: &'a str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = line.trim();
        while let Some(first) = rest.chars().next() {
            if first == '"' {
                let (text, after) = quoted(&rest[1..])?;
                tokens.push(Token::Text(text));
                rest = after;
            } else if "=,[]()<>{}".contains(first) {
                tokens.push(Token::Sign(first));
                rest = &rest[1..];
            } else {
                let is_word = |character: char| {
                    character.is_ascii_alphanumeric() || "._-".contains(character)
                };
                let end = rest.find(|character| !is_word(character));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                if word.is_empty() {
                    return Err(format!("`{first}` has no meaning in a schema lock"));
                }
                tokens.push(Token::Word(word));
                rest = after;
            }
            rest = rest.trim_start();
        }
        Ok(Self {
            tokens: tokens.into_iter().peekable(),
        })
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.tokens.peek().is_none()
    }

    /// Takes this word if it is next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, Token::Word(found) if *found == word))
            .is_some()
    }

    /// Takes this sign if it is next.
    pub(super) fn take_sign(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    pub(super) fn is_text(&mut self) -> bool {
        matches!(self.tokens.peek(), Some(Token::Text(_)))
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(expected(what, other)),
        }
    }

    pub(super) fn text(&mut self, what: &str) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text),
            other => Err(expected(&format!("{what} in quotes"), other)),
        }
    }

    pub(super) fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            other => Err(expected(&format!("`{sign}`"), other)),
        }
    }

    pub(super) fn number(&mut self, what: &str) -> Result<i32, String> {
        let word = self.word(what)?;
        word.parse()
            .map_err(|_| format!("`{word}` is no number that {what} could have"))
    }

    pub(super) fn end(&mut self) -> Result<(), String> {
        match self.tokens.next() {
            None => Ok(()),
            other => Err(expected("the end of the line", other)),
        }
    }
}

fn expected(what: &str, found: Option<Token<'_>>) -> String {
    match found {
        None => format!("expected {what}, found the end of the line"),
        Some(Token::Word(word)) => format!("expected {what}, found `{word}`"),
        Some(Token::Text(text)) => format!("expected {what}, found {}", super::quoted(&text)),
        Some(Token::Sign(sign)) => format!("expected {what}, found `{sign}`"),
    }
}

/// A text up to its closing quote, and what comes after it.
fn quoted(line: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((text, &line[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                Some((at, 'u')) => {
                    let (code, length) = escape(&line[at + 1..])?;
                    text.push(code);
                    for _ in 0..length {
                        characters.next();
                    }
                }
                _ => return Err("a backslash in quotes stands before `\\`, `\"` or `u{…}`".into()),
            },
            _ => text.push(character),
        }
    }
    Err("the quotes are not closed".to_owned())
}

/// `{1f}` as a character, and its length.
fn escape(rest: &str) -> Result<(char, usize), String> {
    let digits = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .map(|(digits, _)| digits);
    let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match (digits, code.and_then(char::from_u32)) {
        (Some(digits), Some(character)) => Ok((character, digits.len() + 2)),
        _ => Err("`\\u` is followed by the number of a character: `\\u{1f}`".to_owned()),
    }
}

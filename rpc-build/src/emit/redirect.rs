//! Makes generated messages need nothing but the runtime: `::buffa::..` becomes `::rpc_runtime::__private::buffa::..`.
//!
//! The text is changed in place, as printing it again would cost more than generating it.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// The crates that generated messages name by an absolute path.
const CRATES: [&str; 4] = ["buffa", "buffa_descriptor", "buffa_types", "serde"];

/// Rewrites the text of a Rust file. `private` is the path of the runtime's own re-exports.
pub(crate) fn redirect(text: &str, private: &str) -> Result<String, proc_macro2::LexError> {
    let tokens: TokenStream = text.parse()?;
    let mut edits = Edits {
        text,
        private,
        found: Vec::new(),
    };
    edits.walk(tokens);
    Ok(edits.apply())
}

struct Edits<'a> {
    text: &'a str,
    private: &'a str,
    found: Vec<(Range<usize>, String)>,
}

impl Edits<'_> {
    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(ident) if is_absolute(&tokens[..at]) => {
                    let name = ident.to_string();
                    if CRATES.contains(&name.as_str()) {
                        // From the two colons on, which the path of the runtime brings itself.
                        let start = tokens[at - 2].span().byte_range().start;
                        let range = start..ident.span().byte_range().end;
                        self.found
                            .push((range, format!("{}::{name}", self.private)));
                    }
                }
                // Written without their path, where messages of these names would be meant.
                TokenTree::Ident(ident) if is_conversion(ident, &tokens, at) => {
                    let range = ident.span().byte_range();
                    self.found
                        .push((range, format!("::core::convert::{ident}")));
                }
                TokenTree::Group(group) if is_attribute(&tokens[..at], group) => {
                    self.attribute(group)
                }
                TokenTree::Group(group) => self.walk(group.stream()),
                _ => {}
            }
        }
    }

    /// Paths in serde's attributes are strings. Its derives have to be told where serde is.
    fn attribute(&mut self, group: &Group) {
        self.walk(group.stream());
        let mut tokens = group.stream().into_iter();
        let name = tokens.next().map(|token| token.to_string());
        let Some(TokenTree::Group(arguments)) = tokens.next() else {
            return;
        };
        match name.as_deref() {
            Some("serde") => self.strings(arguments.stream()),
            Some("derive") if mentions_serde(arguments.stream()) => {
                let end = group.span_close().byte_range().end;
                let attribute = format!("\n#[serde(crate = \"{}::serde\")]", self.private);
                self.found.push((end..end, attribute));
            }
            _ => {}
        }
    }

    fn strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            let TokenTree::Literal(literal) = token else {
                continue;
            };
            let range = literal.span().byte_range();
            let path = self.text[range.clone()].trim_matches('"');
            let is_ours = |name: &&str| {
                path.strip_prefix("::")
                    .is_some_and(|path| path.starts_with(&format!("{name}::")))
            };
            if CRATES.iter().any(is_ours) {
                self.found
                    .push((range, format!("\"{}{path}\"", self.private)));
            }
        }
    }

    fn apply(mut self) -> String {
        self.found.sort_by_key(|(range, _)| range.start);
        let mut changed =
            String::with_capacity(self.text.len() + self.found.len() * self.private.len());
        let mut copied = 0;
        for (range, replacement) in &self.found {
            changed.push_str(&self.text[copied..range.start]);
            changed.push_str(replacement);
            copied = range.end;
        }
        changed.push_str(&self.text[copied..]);
        changed
    }
}

/// Whether what follows these tokens is the first name of a path that begins with `::`: the text was printed, so that there
/// is a space before such a path where a longer one would have none.
fn is_absolute(before: &[TokenTree]) -> bool {
    let [.., colon, second] = before else {
        return false;
    };
    if !is_punct(colon, ':') || !is_punct(second, ':') {
        return false;
    }
    let Some(previous) = before.len().checked_sub(3).map(|at| &before[at]) else {
        return true;
    };
    let continues = matches!(previous, TokenTree::Ident(_)) || is_punct(previous, '>');
    !continues || previous.span().byte_range().end < colon.span().byte_range().start
}

/// Whether this is one of the two traits, which have parameters where no message has, without its path.
fn is_conversion(ident: &Ident, tokens: &[TokenTree], at: usize) -> bool {
    let has_parameters = tokens.get(at + 1).is_some_and(|next| is_punct(next, '<'));
    let has_path = at > 0 && is_punct(&tokens[at - 1], ':');
    (ident == "From" || ident == "Into") && has_parameters && !has_path
}

fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

fn is_attribute(before: &[TokenTree], group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket
        && before
            .last()
            .is_some_and(|last| is_punct(last, '#') || is_punct(last, '!'))
}

fn mentions_serde(tokens: TokenStream) -> bool {
    tokens
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "serde"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(text: &str) -> String {
        redirect(text, "::rt::p").unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn absolute_paths_lead_to_the_runtime() {
        let cases = [
            (
                "fn f() -> ::buffa::A<::serde::B> {}",
                "fn f() -> ::rt::p::buffa::A<::rt::p::serde::B> {}",
            ),
            (
                "impl<T> ::buffa::M for ::buffa_types::T {}",
                "impl<T> ::rt::p::buffa::M for ::rt::p::buffa_types::T {}",
            ),
            (
                "x as ::buffa::A; &mut ::buffa::B; <T as ::serde::D>::d()",
                "x as ::rt::p::buffa::A; &mut ::rt::p::buffa::B; <T as ::rt::p::serde::D>::d()",
            ),
            (
                "::buffa::vec![::buffa::A]",
                "::rt::p::buffa::vec![::rt::p::buffa::A]",
            ),
            ("use ::serde::ser::S;", "use ::rt::p::serde::ser::S;"),
            (
                "impl From<From> for A { fn f(a: impl Into<Into>) {} }",
                "impl ::core::convert::From<From> for A { fn f(a: impl ::core::convert::Into<Into>) {} }",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(redirected(text), expected);
        }
    }

    #[test]
    fn other_paths_and_strings_stay() {
        for text in [
            "a::buffa::B",
            "Vec::<T>::serde()",
            "::core::A",
            "\"::buffa::x\"",
            "super::serde::A",
            "::core::convert::From<A>",
            "<A>::buffa::B",
        ] {
            assert_eq!(redirected(text), text);
        }
    }

    #[test]
    fn attributes_of_serde_are_told_where_it_is() {
        assert_eq!(
            redirected(
                "#[derive(::serde::Serialize)] struct A { #[serde(with = \"::buffa::j\", rename = \"buffa\")] a: u8 }"
            ),
            "#[derive(::rt::p::serde::Serialize)]\n#[serde(crate = \"::rt::p::serde\")] struct A { #[serde(with = \"::rt::p::buffa::j\", rename = \"buffa\")] a: u8 }"
        );
        assert_eq!(redirected("#[derive(Clone)]"), "#[derive(Clone)]");
    }
}

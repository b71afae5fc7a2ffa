//! Makes generated messages need nothing but the runtime: `::buffa::..` becomes `::rpc_runtime::__private::buffa::..`.
//!
//! The text is gone through once, byte by byte: in a build script, which is not optimised, reading it as tokens and printing
//! it again would each cost as much as generating it.

use std::borrow::Cow;

use super::stand_in::StandIns;

/// The crates that generated messages name by an absolute path.
const CRATES: [&str; 4] = ["buffa", "buffa_descriptor", "buffa_types", "serde"];

/// Rewrites a file of Rust as a printer writes it. `private` is the path of the runtime's own re-exports.
pub(crate) fn redirect(text: &str, private: &str, stand_ins: &StandIns) -> String {
    let mut pass = Pass {
        text,
        private,
        stand_ins,
        at: 0,
        copied: 0,
        output: String::with_capacity(text.len() + text.len() / 4),
        serde_end: 0,
        derive_end: None,
    };
    while pass.at < text.len() {
        pass.step();
    }
    pass.insert(text.len(), "");
    pass.output
}

/// Changes the text only at bytes of ASCII.
struct Pass<'a> {
    text: &'a str,
    private: &'a str,
    stand_ins: &'a StandIns,
    /// The next byte to look at.
    at: usize,
    /// How much of the text is in the output.
    copied: usize,
    output: String,
    /// Where the last attribute of serde ends: paths in there are strings.
    serde_end: usize,
    /// Where a derive ends that has to be told where serde is.
    derive_end: Option<usize>,
}

impl Pass<'_> {
    fn step(&mut self) {
        if self.derive_end == Some(self.at) {
            self.derive_end = None;
            let attribute = format!("\n#[serde(crate = \"{}::serde\")]", self.private);
            self.insert(self.at, &attribute);
        }
        match self.byte(self.at) {
            b'"' => self.string(),
            b'\'' => self.at = self.character_end(),
            b'/' if self.byte(self.at + 1) == b'/' => self.skip_text(self.find(self.at, "\n")),
            b'/' if self.byte(self.at + 1) == b'*' => self.skip_text(self.find(self.at, "*/")),
            b'#' => self.attribute(),
            b':' if self.byte(self.at + 1) == b':' => self.path(),
            byte if is_word(byte) => self.word(),
            _ => self.at += 1,
        }
    }

    fn insert(&mut self, at: usize, inserted: &str) {
        self.output.push_str(&self.text[self.copied..at]);
        self.output.push_str(inserted);
        self.copied = at;
    }

    /// Goes to the end of a string or a comment.
    fn skip_text(&mut self, end: usize) {
        self.at = self.at.max(self.copied);
        let skipped = &self.text[self.at..end];
        self.replace(end, self.stand_ins.in_text(skipped));
    }

    /// Puts a text in the place of what lies before `end`, if it is another.
    fn replace(&mut self, end: usize, replaced: Cow<'_, str>) {
        if let Cow::Owned(replaced) = replaced {
            self.insert(self.at, &replaced);
            self.copied = end;
        }
        self.at = end;
    }

    /// A byte of the text, and zero after its end.
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or_default()
    }

    /// Two colons and a name: a path begins with them unless something stands right before.
    fn path(&mut self) {
        let goes_on =
            self.at > 0 && matches!(self.byte(self.at - 1), byte if is_word(byte) || byte == b'>');
        let end = self.word_end(self.at + 2);
        let name = &self.text[self.at + 2..end];
        if !goes_on && CRATES.contains(&name) {
            self.insert(self.at, self.private);
        }
        self.at += 2;
        self.replace(end, self.stand_ins.in_code(name));
    }

    /// Two traits are written without their path, where messages of these names would be meant.
    fn word(&mut self) {
        let end = self.word_end(self.at);
        let word = &self.text[self.at..end];
        if matches!(word, "From" | "Into") && self.byte(end) == b'<' {
            self.insert(self.at, "::core::convert::");
        }
        match self.raw_string_end(end) {
            Some(end) if matches!(word, "r" | "br" | "cr") => self.skip_text(end),
            _ => self.replace(end, self.stand_ins.in_code(word)),
        }
    }

    fn string(&mut self) {
        let path = &self.text[self.at + 1..];
        let is_ours = |name: &&str| {
            let rest = path
                .strip_prefix("::")
                .and_then(|it| it.strip_prefix(*name));
            rest.is_some_and(|rest| rest.starts_with("::"))
        };
        if self.at < self.serde_end && CRATES.iter().any(is_ours) {
            self.insert(self.at + 1, self.private);
        }
        self.skip_text(self.string_end(self.at));
    }

    /// Paths in serde's attributes are strings, and its derives have to be told where serde is.
    fn attribute(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("#[serde(") {
            self.serde_end = self.attribute_end();
        } else if rest.starts_with("#[derive(") {
            let end = self.attribute_end();
            if self.text[self.at..end].contains("serde::") {
                self.derive_end = Some(end);
            }
        }
        self.at += 1;
    }

    fn attribute_end(&self) -> usize {
        let mut at = self.at;
        while !matches!(self.byte(at), b']' | 0) {
            at = match self.byte(at) {
                b'"' => self.string_end(at),
                _ => at + 1,
            };
        }
        self.text.len().min(at + 1)
    }

    fn word_end(&self, mut at: usize) -> usize {
        while is_word(self.byte(at)) {
            at += 1;
        }
        at
    }

    fn string_end(&self, start: usize) -> usize {
        let mut at = start + 1;
        while !matches!(self.byte(at), b'"' | 0) {
            at += if self.byte(at) == b'\\' { 2 } else { 1 };
        }
        self.text.len().min(at + 1)
    }

    /// The end of the string whose first letter ends here, if it is one: `r#type` is none.
    fn raw_string_end(&self, at: usize) -> Option<usize> {
        let rest = &self.text[at..];
        let content = rest.trim_start_matches('#').strip_prefix('"')?;
        let hashes = &rest[..rest.len() - content.len() - 1];
        let start = self.text.len() - content.len();
        Some(self.find(start, &format!("\"{hashes}")))
    }

    /// The end of a character, or of the apostrophe before a lifetime.
    fn character_end(&self) -> usize {
        let mut inside = self.text[self.at + 1..].chars();
        match inside.next() {
            Some('\\') => self.find(self.at + 3, "'"),
            Some(letter) if inside.next() == Some('\'') => self.at + letter.len_utf8() + 2,
            _ => self.at + 1,
        }
    }

    /// Where the next occurrence of something ends, or the text.
    fn find(&self, start: usize, searched: &str) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let found = rest.find(searched);
        found.map_or(self.text.len(), |at| start + at + searched.len())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::stand_in::Name;

    fn redirected(text: &str) -> String {
        redirect(text, "::rt::p", &StandIns::default())
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
            "// ::buffa::x",
            "/// It's ::buffa::x",
            "/** ::buffa::x */",
            "r\"::buffa::x\"",
            "r##\"::buffa::x\"# ::buffa::x\"##",
            "\"a\\\" ::buffa::x\"",
            "['\"', '\\'', '\u{e4}', '\\u{7f}', \"::buffa::x\"]",
            "&'a r#type::buffa::B",
            "#[doc = \"::buffa::x\"]",
            "#[serde(rename = \"]\")] a: A = \"::buffa::x\"",
            "buffa::x",
            "::buffalo::x",
        ] {
            assert_eq!(redirected(text), text);
        }
    }

    #[test]
    fn stand_ins_are_replaced_in_code_and_in_text() {
        let mut names = StandIns::default();
        let stand_in = names.of_type(Name {
            proto: "type".to_owned(),
            camel: "type_".to_owned(),
            snake: "type__".to_owned(),
        });
        assert_eq!(stand_in, "RpcStandIn0x");
        let text = "/// `RpcStandIn0x`\nfn f(a: super::rpc_stand_in0x::A<RpcStandIn0x>) { g(\"RpcStandIn0x\", ::buffa::RpcStandIn0x) }";
        let replaced =
            "/// `type`\nfn f(a: super::type__::A<type_>) { g(\"type\", ::rt::p::buffa::type_) }";
        assert_eq!(redirect(text, "::rt::p", &names), replaced);
        let text = "#[serde(with = \"::buffa::j\", rename = \"RpcStandIn0x\")]";
        let replaced = "#[serde(with = \"::rt::p::buffa::j\", rename = \"type\")]";
        assert_eq!(redirect(text, "::rt::p", &names), replaced);
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
        // What cannot be Rust goes through as well.
        for text in [
            "\"",
            "#[serde(\"",
            "#[derive(::serde",
            "'",
            "'\\",
            "r#\"",
            "/*",
            "::",
        ] {
            assert!(
                redirected(text).ends_with(text.trim_start_matches("#[derive(")),
                "{text}"
            );
        }
    }
}

//! Lists of options such as `name = "a", bare`, read so that one mistake does not hide another.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitStr, Path, Token};

use crate::errors::Errors;

/// One option.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    value: Value,
}

enum Value {
    /// `bare`
    None,
    /// `name = "text"`
    Text(LitStr),
    /// `codec = some::Path`
    Path(Path),
    /// Anything else after the key.
    Other(TokenStream),
}

/// The options of one attribute, of which each may be given once.
pub(crate) struct Entries {
    allowed: &'static [&'static str],
    entries: Vec<Entry>,
}

impl Entries {
    pub(crate) fn new(allowed: &'static [&'static str]) -> Self {
        Self {
            allowed,
            entries: Vec::new(),
        }
    }

    /// Reads one more list, and keeps the options that are known and new.
    pub(crate) fn read(&mut self, tokens: TokenStream, errors: &mut Errors) {
        let parsed =
            (|input: ParseStream<'_>| parse_list(input, self.allowed, errors)).parse2(tokens);
        let entries = match parsed {
            Ok(entries) => entries,
            Err(error) => return errors.extend(error),
        };
        for entry in entries {
            if !self.allowed.iter().any(|allowed| entry.key == allowed) {
                errors.push(
                    &entry.key,
                    format!("unknown option `{}`, {}", entry.key, expected(self.allowed)),
                );
            } else if self.entries.iter().any(|known| known.key == entry.key) {
                errors.push(&entry.key, format!("option `{}` is given twice", entry.key));
            } else {
                self.entries.push(entry);
            }
        }
    }
}

impl IntoIterator for Entries {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Entry {
    /// The key, of an option that takes no value.
    pub(crate) fn into_flag(self, errors: &mut Errors) -> Option<Ident> {
        if !matches!(self.value, Value::None) {
            errors.push_at(
                self.value_span(),
                format!("option `{0}` takes no value, write only `{0}`", self.key),
            );
            return None;
        }
        Some(self.key)
    }

    /// The value of an option that takes a string.
    pub(crate) fn into_text(self, example: &str, errors: &mut Errors) -> Option<LitStr> {
        match self.value {
            Value::Text(text) => Some(text),
            _ => {
                let message = format!(
                    "option `{0}` takes a string, as in `{0} = {example:?}`",
                    self.key
                );
                errors.push_at(self.value_span(), message);
                None
            }
        }
    }

    /// The value of an option that takes a path.
    pub(crate) fn into_path(self, example: &str, errors: &mut Errors) -> Option<Path> {
        match self.value {
            Value::Path(path) => Some(path),
            _ => {
                let message = format!(
                    "option `{0}` takes a path, as in `{0} = {example}`",
                    self.key
                );
                errors.push_at(self.value_span(), message);
                None
            }
        }
    }

    /// The value of an option that takes one of a list of names.
    pub(crate) fn into_name(self, names: &[&str], errors: &mut Errors) -> Option<Ident> {
        if let Value::Path(path) = &self.value
            && let Some(ident) = path.get_ident()
            && names.iter().any(|name| ident == name)
        {
            return Some(ident.clone());
        }
        let message = format!("option `{}` {}", self.key, takes(names));
        errors.push_at(self.value_span(), message);
        None
    }

    /// Where a mistake in the value is shown.
    fn value_span(&self) -> Span {
        use syn::spanned::Spanned as _;
        match &self.value {
            Value::None => self.key.span(),
            Value::Text(text) => text.span(),
            Value::Path(path) => path.span(),
            Value::Other(tokens) if tokens.is_empty() => self.key.span(),
            Value::Other(tokens) => tokens.span(),
        }
    }
}

fn takes(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("takes one of {}", names.join(", "))
}

/// Names what would be allowed.
pub(crate) fn expected(allowed: &[&str]) -> String {
    let names: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [only] => format!("expected {only}"),
        _ => format!("expected one of {}", names.join(", ")),
    }
}

/// Does not fail: what cannot be read is reported and skipped up to the next comma.
fn parse_list(
    input: ParseStream<'_>,
    allowed: &[&str],
    errors: &mut Errors,
) -> syn::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        if input.peek(Ident::peek_any) {
            entries.push(parse_entry(input)?);
        } else {
            let skipped = skip_to_comma(input)?;
            if skipped.is_empty() {
                errors.push_at(
                    input.span(),
                    format!("a comma too many, {}", expected(allowed)),
                );
            } else {
                errors.push(
                    skipped,
                    format!("not the name of an option, {}", expected(allowed)),
                );
            }
        }
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(entries)
}

fn parse_entry(input: ParseStream<'_>) -> syn::Result<Entry> {
    let key = input.call(Ident::parse_any)?;
    let mut value = Value::None;
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        value = parse_value(input)?;
    }
    let rest = skip_to_comma(input)?;
    if !rest.is_empty() {
        value = Value::Other(rest);
    }
    Ok(Entry { key, value })
}

fn parse_value(input: ParseStream<'_>) -> syn::Result<Value> {
    if input.peek(LitStr) {
        return Ok(Value::Text(input.parse()?));
    }
    let ahead = input.fork();
    if !ahead.is_empty() && ahead.parse::<Path>().is_ok() {
        return Ok(Value::Path(input.parse()?));
    }
    Ok(Value::Other(skip_to_comma(input)?))
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut skipped = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        skipped.extend([input.parse::<TokenTree>()?]);
    }
    Ok(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    const ALLOWED: &[&str] = &["name", "bare", "crate"];

    fn read(tokens: TokenStream) -> (Vec<Entry>, Vec<String>) {
        let mut errors = Errors::default();
        let mut entries = Entries::new(ALLOWED);
        entries.read(tokens, &mut errors);
        (entries.into_iter().collect(), errors.into_messages())
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let (entries, messages) = read(quote!(name = "a", bare, crate = ::some::path<A, B>,));
        assert!(messages.is_empty(), "{messages:?}");
        assert!(matches!(&entries[0].value, Value::Text(text) if text.value() == "a"));
        assert!(matches!(&entries[1].value, Value::None));
        assert!(matches!(&entries[2].value, Value::Path(path) if path.segments.len() == 2));
    }

    #[test]
    fn every_mistake_in_a_list_is_reported() {
        let (entries, messages) = read(quote!(nmae = 3 + 4, "x", bare, bare, name(y), , ));
        assert_eq!(
            messages,
            [
                "not the name of an option, expected one of `name`, `bare`, `crate`",
                "a comma too many, expected one of `name`, `bare`, `crate`",
                "unknown option `nmae`, expected one of `name`, `bare`, `crate`",
                "option `bare` is given twice",
            ]
        );
        let keys: Vec<String> = entries.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(keys, ["bare", "name"]);
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused() {
        let (entries, _) = read(quote!(name = path, bare = "x", crate = "text"));
        let mut errors = Errors::default();
        let mut entries = entries.into_iter();
        let mut next = || entries.next().map(|entry| entry.key.to_string());
        assert_eq!(next().as_deref(), Some("name"));
        let (entries, _) = read(quote!(name = path, bare = "x", crate = "text"));
        for entry in entries {
            match entry.key.to_string().as_str() {
                "name" => assert!(entry.into_text("a", &mut errors).is_none()),
                "bare" => assert!(entry.into_flag(&mut errors).is_none()),
                _ => assert!(entry.into_path("::a", &mut errors).is_none()),
            }
        }
        assert_eq!(
            errors.into_messages(),
            [
                "option `name` takes a string, as in `name = \"a\"`",
                "option `bare` takes no value, write only `bare`",
                "option `crate` takes a path, as in `crate = ::a`",
            ]
        );
    }
}

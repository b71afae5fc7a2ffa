//! The collector of mistakes: a user sees all of them at once, each at the tokens it is about.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far. In tests it panics if it is dropped without having been read, so
/// that no path through the macro can lose a mistake.
#[derive(Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    #[cfg(test)]
    is_read: bool,
}

impl Errors {
    /// Reports a mistake at all of `tokens`.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at `span`.
    pub(crate) fn push_at(&mut self, span: Span, message: impl Display) {
        self.found.push(syn::Error::new(span, message));
    }

    /// Takes over what the parser of Rust itself has found.
    pub(crate) fn extend(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// The number of mistakes so far; a difference tells whether one step has found any.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// One `compile_error!` per mistake.
    pub(crate) fn into_compile_errors(mut self) -> TokenStream {
        self.mark_read();
        let found = std::mem::take(&mut self.found);
        found.iter().map(syn::Error::to_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn into_messages(mut self) -> Vec<String> {
        self.mark_read();
        let found = std::mem::take(&mut self.found);
        found.iter().map(ToString::to_string).collect()
    }

    /// The source text at which each mistake is shown, and its message.
    #[cfg(test)]
    pub(crate) fn into_reports(mut self) -> Vec<(String, String)> {
        self.mark_read();
        let found = std::mem::take(&mut self.found);
        let reports = found.iter().map(|error| {
            let text = error.span().source_text().unwrap_or_default();
            (text, error.to_string())
        });
        reports.collect()
    }

    fn mark_read(&mut self) {
        #[cfg(test)]
        {
            self.is_read = true;
        }
    }
}

#[cfg(test)]
impl Drop for Errors {
    fn drop(&mut self) {
        if !self.is_read && !std::thread::panicking() {
            panic!("the collected mistakes were dropped unread");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_becomes_a_compile_error() {
        let mut errors = Errors::default();
        errors.push_at(Span::call_site(), "first");
        errors.push(quote::quote!(a b), "second");
        assert_eq!(errors.len(), 2);
        let tokens = errors.into_compile_errors().to_string();
        assert_eq!(tokens.matches("compile_error").count(), 2);
        assert!(tokens.contains("first") && tokens.contains("second"));
    }

    #[test]
    fn a_dropped_collector_goes_off() {
        let outcome = std::panic::catch_unwind(|| drop(Errors::default()));
        assert!(outcome.is_err());
    }
}

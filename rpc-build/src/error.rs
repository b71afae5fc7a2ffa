//! Why a schema did not compile.

use std::fmt;

use crate::diagnostic::{Diagnostic, render};
use crate::source::Sources;

/// Why a schema did not compile: all mistakes that were found, each with its place, as rustc would show them.
///
/// It reads the same however it is shown, so that a build script can return it from `main` or unwrap it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    text: String,
}

impl Error {
    /// A reason without a place in a schema.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            text: format!("error: {}", message.into()),
        }
    }

    pub(crate) fn from_diagnostics(diagnostics: &[Diagnostic], sources: &Sources) -> Self {
        // Without colours, as cargo keeps the output of build scripts and shows it later.
        let text = render(diagnostics, sources, false);
        Self {
            text: text.trim_end().to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Behind the `Error: ` of `main` and the text of `unwrap`.
        write!(formatter, "\n{self}")
    }
}

impl std::error::Error for Error {}

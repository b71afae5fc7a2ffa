//! What serde and its users are told: [`Error`].

use std::fmt::{self, Display};

/// A value that does not fit its type, or cannot be written. One pointer, as results of values are
/// passed through many hands.
#[derive(Debug)]
pub(in crate::codec) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    /// How many bytes were read, if it is an error of reading.
    position: Option<usize>,
}

impl Error {
    #[cold]
    pub(super) fn new(message: impl Display) -> Self {
        Self(Box::new(Inner {
            message: message.to_string(),
            position: None,
        }))
    }

    pub(super) fn at(mut self, position: usize) -> Self {
        self.0.position = Some(position);
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.position {
            Some(position) => write!(f, " at byte {position}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::ser::Error for Error {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message)
    }
}

//! What is wrong with a message whatever its type: [`Malformed`].

use std::fmt;

/// A message that is not exactly one value within the limits, and the offset where that showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed {
    pub(super) problem: Problem,
    pub(super) offset: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    /// Values nest deeper than the limit.
    TooDeep { limit: usize },
    /// Values of this type nest deeper than the stack allows.
    NoStack { limit: usize },
    /// The elements of lists and maps would take more memory than the limit.
    TooLarge { limit: usize },
    /// The message ends before the value does, or a length is higher than the bytes left.
    Truncated,
    /// There are bytes after the value.
    Trailing { count: usize },
    /// The byte 0xc1, which MessagePack never uses.
    Reserved,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep { limit } => {
                write!(f, "values nest deeper than {limit}, the limit `max_depth`")
            }
            Self::NoStack { limit } => write!(
                f,
                "values of this type nest so deep that they take more than {limit} bytes of the stack, the limit `max_stack`"
            ),
            Self::TooLarge { limit } => write!(
                f,
                "its elements take more than {limit} bytes, the limit `max_element_memory`: \
                 send fewer of them at a time, or raise the limit"
            ),
            Self::Truncated => f.write_str("the message ends inside a value"),
            Self::Trailing { count } => write!(f, "{count} bytes follow the value"),
            Self::Reserved => f.write_str("the byte 0xc1 is not MessagePack"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.offset)
    }
}

impl std::error::Error for Malformed {}

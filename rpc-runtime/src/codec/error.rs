//! Why a value could not be encoded or decoded: [`CodecError`].

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use super::bounded::Bounds;
use super::malformed::{Malformed, Problem};
use super::stack::Stack;
use super::{Codec, DecodeLimits, Encoding};

/// The longest piece of an underlying error that is shown: serde's errors quote what the peer sent.
const MAX_SHOWN_CHARACTERS: usize = 300;

/// Why a value could not be encoded or decoded.
///
/// `Display` says it in one line of bounded length, whatever the peer sent;
/// [`source`](StdError::source) has the error of the format itself.
pub struct CodecError(Box<Inner>);

struct Inner {
    kind: Kind,
    encoding: Encoding,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Unsupported { supported: String },
    Encode,
    Decode,
    TooDeep { limit: usize },
    TooLarge { limit: usize },
    NoStack { limit: usize },
    Truncated,
    Trailing { count: usize },
}

impl CodecError {
    /// Makes the error for an encoding that the codec `C` does not support.
    pub fn unsupported<C: Codec>(asked: Encoding) -> Self {
        Self::new(
            Kind::Unsupported {
                supported: C::supported(),
            },
            asked,
            None,
        )
    }

    /// Makes the error for a value that has no form in the encoding.
    pub fn encode(encoding: Encoding, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Encode, encoding, Some(source.into()))
    }

    /// Makes the error for bytes that are not of the encoding, or not of the type asked for.
    pub fn decode(encoding: Encoding, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Decode, encoding, Some(source.into()))
    }

    /// Makes the error for values that nest deeper than [`DecodeLimits`](super::DecodeLimits) allow.
    pub fn too_deep(encoding: Encoding, limits: DecodeLimits) -> Self {
        let limit = limits.depth();
        Self::new(Kind::TooDeep { limit }, encoding, None)
    }

    /// Makes the error for elements that would take more memory than
    /// [`DecodeLimits`](super::DecodeLimits) allow.
    pub fn too_large(encoding: Encoding, limits: DecodeLimits) -> Self {
        let limit = limits.element_memory();
        Self::new(Kind::TooLarge { limit }, encoding, None)
    }

    /// Makes the error for values that nest deeper than the stack allows.
    pub(super) fn no_stack(encoding: Encoding, stack: &Stack) -> Self {
        let limit = stack.limit();
        Self::new(Kind::NoStack { limit }, encoding, None)
    }

    /// Makes the error for bytes that could not be decoded, which may have been for want of stack or memory.
    pub(super) fn within(
        bounds: &Bounds,
        encoding: Encoding,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        if bounds.stack.is_used_up() {
            return Self::no_stack(encoding, &bounds.stack);
        }
        if bounds.memory.is_used_up() {
            let limit = bounds.memory.limit();
            return Self::new(Kind::TooLarge { limit }, encoding, None);
        }
        Self::decode(encoding, source)
    }

    /// Makes the error for bytes that end before the value does.
    pub fn truncated(encoding: Encoding) -> Self {
        Self::new(Kind::Truncated, encoding, None)
    }

    /// Makes the error for bytes that follow the value.
    #[cfg(feature = "postcard")]
    pub(super) fn trailing(encoding: Encoding, count: usize) -> Self {
        Self::new(Kind::Trailing { count }, encoding, None)
    }

    pub(super) fn malformed(encoding: Encoding, error: Malformed) -> Self {
        let kind = match error.problem {
            Problem::TooDeep { limit } => Kind::TooDeep { limit },
            Problem::NoStack { limit } => Kind::NoStack { limit },
            Problem::TooLarge { limit } => Kind::TooLarge { limit },
            Problem::Truncated => Kind::Truncated,
            Problem::Trailing { count } => Kind::Trailing { count },
            Problem::Reserved => Kind::Decode,
        };
        Self::new(kind, encoding, Some(Box::new(error)))
    }

    fn new(
        kind: Kind,
        encoding: Encoding,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            encoding,
            source,
        }))
    }

    /// Returns the encoding that was asked for.
    pub fn encoding(&self) -> Encoding {
        self.0.encoding
    }

    /// Returns whether the codec does not support the encoding.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.0.kind, Kind::Unsupported { .. })
    }

    /// Returns whether a value of our own could not be encoded.
    pub fn is_encode(&self) -> bool {
        self.0.kind == Kind::Encode
    }

    /// Returns whether bytes could not be decoded, for whichever reason.
    pub fn is_decode(&self) -> bool {
        !self.is_unsupported() && !self.is_encode()
    }

    /// Returns whether values nest deeper than [`max_depth`](super::DecodeLimits::max_depth), or than
    /// [`max_stack`](super::DecodeLimits::max_stack) allows for their type.
    pub fn is_too_deep(&self) -> bool {
        matches!(self.0.kind, Kind::TooDeep { .. } | Kind::NoStack { .. })
    }

    /// Returns whether elements would take more memory than
    /// [`max_element_memory`](super::DecodeLimits::max_element_memory).
    pub fn is_too_large(&self) -> bool {
        matches!(self.0.kind, Kind::TooLarge { .. })
    }

    /// Returns whether the bytes end before the value does.
    ///
    /// Known of MessagePack and protobuf; in others that is one of many errors of the format.
    pub fn is_truncated(&self) -> bool {
        self.0.kind == Kind::Truncated
    }

    /// Returns whether bytes follow the value. In JSON that is an error of the format.
    pub fn is_trailing(&self) -> bool {
        matches!(self.0.kind, Kind::Trailing { .. })
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = self.0.encoding;
        match &self.0.kind {
            Kind::Unsupported { supported } => {
                return write!(
                    f,
                    "encoding `{encoding}` is not supported, use one of: {supported}"
                );
            }
            Kind::Encode => write!(f, "cannot encode as {encoding}")?,
            _ => write!(f, "cannot decode {encoding}")?,
        }
        match (&self.0.source, &self.0.kind) {
            (Some(source), _) => write!(OneLine::new(f), ": {source}"),
            (None, Kind::Trailing { count }) => write!(f, ": {count} bytes follow the value"),
            (None, Kind::Truncated) => f.write_str(": the message ends inside a value"),
            (None, Kind::TooDeep { limit }) => {
                write!(
                    f,
                    ": values nest deeper than {limit}, the limit `max_depth`"
                )
            }
            (None, Kind::NoStack { limit }) => {
                write!(f, ": {}", Problem::NoStack { limit: *limit })
            }
            (None, Kind::TooLarge { limit }) => {
                write!(f, ": {}", Problem::TooLarge { limit: *limit })
            }
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodecError")
            .field("kind", &self.0.kind)
            .field("encoding", &self.0.encoding)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for CodecError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Escapes control characters and drops what is longer than [`MAX_SHOWN_CHARACTERS`], because what
/// a peer sent must not forge or flood a log.
struct OneLine<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    room: usize,
}

impl<'a, 'b> OneLine<'a, 'b> {
    fn new(out: &'a mut fmt::Formatter<'b>) -> Self {
        Self {
            out,
            room: MAX_SHOWN_CHARACTERS,
        }
    }
}

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match self.room {
                0 => return Ok(()),
                1 => self.out.write_char('…')?,
                _ if character.is_control() => write!(self.out, "{}", character.escape_default())?,
                _ => self.out.write_char(character)?,
            }
            self.room -= 1;
        }
        Ok(())
    }
}

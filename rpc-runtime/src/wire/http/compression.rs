//! Messages that are compressed one by one
//! (<https://github.com/grpc/grpc/blob/master/doc/compression.md>), and bodies that are one.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::dialect::CompressionHeaders;
use crate::call::Message;
use crate::codec::{DecodeLimits, Encoding};
use crate::status::Status;

/// Below this many bytes a message is not compressed: it would hardly get shorter.
pub(super) const COMPRESS_FROM: usize = 256;

/// Below this many bytes a body is not compressed of which nobody said that it should be.
pub(super) const COMPRESS_UNASKED_FROM: usize = 1 << 10;

/// What is accepted here.
const ALL: HeaderValue = HeaderValue::from_static("gzip,identity");

const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// How the messages of one direction are compressed, those that are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Compression {
    #[default]
    Identity,
    Gzip,
}

impl Compression {
    /// Reads how the messages behind these headers are compressed.
    ///
    /// # Errors
    ///
    /// A compression that is not known here.
    pub(super) fn of(headers: &HeaderMap, names: &CompressionHeaders) -> Result<Self, Status> {
        let name = headers.get(&names.used).map(HeaderValue::as_bytes);
        name.map_or(Ok(Self::Identity), Self::from_name)
    }

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// A compression that is not known here.
    pub(super) fn from_name(name: &[u8]) -> Result<Self, Status> {
        match name {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" => Ok(Self::Gzip),
            other => Err(Status::unimplemented(format!(
                "the compression `{}` is not supported, there is: gzip, identity",
                other.get(..32).unwrap_or(other).escape_ascii()
            ))),
        }
    }

    /// Says whether a peer that sent these headers accepts compressed messages.
    pub(super) fn is_accepted(headers: &HeaderMap, names: &CompressionHeaders) -> bool {
        let accepted = headers.get_all(&names.accepted).iter();
        let mut names = accepted.flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
        names.any(|name| name.trim_ascii() == b"gzip")
    }

    /// Returns how to compress what goes to a peer that sent these headers: as it does itself, as
    /// far as it accepts that.
    pub(super) fn for_reply(self, headers: &HeaderMap, names: &CompressionHeaders) -> Self {
        if self == Self::Gzip && Self::is_accepted(headers, names) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// Says how the messages behind the headers are compressed.
    pub(super) fn put(self, headers: &mut HeaderMap, names: &CompressionHeaders) {
        if self == Self::Gzip {
            headers.insert(&names.used, GZIP);
        }
    }

    /// Says what is accepted here.
    pub(super) fn put_accepted(headers: &mut HeaderMap, names: &CompressionHeaders) {
        headers.insert(&names.accepted, ALL);
    }
}

/// A message that came, unpacked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unpacked {
    pub(super) bytes: Bytes,
    pub(super) was_compressed: bool,
}

impl Unpacked {
    /// Makes a message of it.
    pub(super) fn into_message(self, encoding: Encoding, limits: DecodeLimits) -> Message {
        let mut message = Message::with_limits(self.bytes, encoding, limits);
        message.note_compressed(self.was_compressed);
        message
    }
}

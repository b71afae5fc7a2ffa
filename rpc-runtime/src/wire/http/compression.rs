//! Messages that are compressed one by one
//! (<https://github.com/grpc/grpc/blob/master/doc/compression.md>).

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::status::Status;

/// How the messages of this direction may be compressed.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How those of the other direction may be.
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

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
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Status> {
        match headers.get(ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Self::Identity),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(other) => Err(Status::unimplemented(format!(
                "the compression `{}` is not supported, there is: gzip, identity",
                other.get(..32).unwrap_or(other).escape_ascii()
            ))),
        }
    }

    /// Returns how to compress what goes to a peer that sent these headers: as it does itself, as
    /// far as it accepts that.
    pub(super) fn for_reply(self, headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPTED).iter();
        let mut names = accepted.flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
        if self == Self::Gzip && names.any(|name| name.trim_ascii() == b"gzip") {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// Says how the messages behind the headers are compressed.
    pub(super) fn put(self, headers: &mut HeaderMap) {
        if self == Self::Gzip {
            headers.insert(ENCODING, GZIP);
        }
    }

    /// Says what is accepted here.
    pub(super) fn put_accepted(headers: &mut HeaderMap) {
        headers.insert(ACCEPTED, ALL);
    }
}

/// Why bytes could not be unpacked.
#[derive(Debug)]
pub(super) enum Error {
    TooLarge,
    Malformed(io::Error),
}

/// Unpacks a message, up to a limit that no more memory is taken for.
pub(super) fn unpack(bytes: &[u8], limit: usize) -> Result<Bytes, Error> {
    let mut unpacked = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut reader = MultiGzDecoder::new(bytes).take(bound);
    reader
        .read_to_end(&mut unpacked)
        .map_err(Error::Malformed)?;
    if unpacked.len() > limit {
        return Err(Error::TooLarge);
    }
    Ok(unpacked.into())
}

/// Packs a message.
pub(super) fn pack(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map_err(|error| Status::internal("a message cannot be compressed").with_source(error))
}

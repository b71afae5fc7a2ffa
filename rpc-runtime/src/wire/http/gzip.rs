//! Bytes that are compressed.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::status::Status;

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

//! Messages on their way into envelopes: see [`frame`](super::frame).

use bytes::{Bytes, BytesMut};

use super::frame::{COMPRESSED, HEADER_LENGTH};
use crate::call::{Message, Rope};
use crate::codec::{Encoding, Pieces};
use crate::status::Status;
use crate::wire::http::compression::{COMPRESS_FROM, Compression};
use crate::wire::http::gzip;

/// From here on a message that is encoded already is handed over instead of being copied.
pub(super) const HAND_OVER: usize = 16 << 10;

/// Puts messages behind each other, each with its header.
#[derive(Debug)]
pub(in crate::wire::http) struct Encoder {
    pub(in crate::wire::http) encoding: Encoding,
    /// How messages may be compressed, as the headers say.
    pub(in crate::wire::http) compression: Compression,
    /// Whether those are that say nothing.
    pub(in crate::wire::http) compresses: bool,
    pub(in crate::wire::http) max_message: usize,
    /// Whose limit that is.
    pub(in crate::wire::http) owner: &'static str,
}

impl Encoder {
    /// Adds a message; large ones come out as pieces that are not copied, behind what was in `out`.
    ///
    /// # Errors
    ///
    /// When the message cannot be encoded or is too large; `out` is then as it was.
    pub(in crate::wire::http) fn put(
        &self,
        mut message: Message,
        out: &mut BytesMut,
    ) -> Result<Option<Rope>, Status> {
        let compresses = self.compression == Compression::Gzip
            && message.is_compressed().unwrap_or(self.compresses);
        if let Some(bytes) = message.as_bytes()
            && bytes.len() >= HAND_OVER
            && !compresses
        {
            let bytes = bytes.clone();
            self.put_header(out, 0, bytes.len())?;
            return Ok(Some(bytes.into()));
        }
        let start = out.len();
        let result = self.put_encoded(&mut message, compresses, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn put_encoded(
        &self,
        message: &mut Message,
        compresses: bool,
        out: &mut BytesMut,
    ) -> Result<Option<Rope>, Status> {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_LENGTH]);
        let head = out.len();
        let mut pieces = Pieces::default();
        message.encode_into(self.encoding, out, &mut pieces)?;
        if !pieces.is_empty() {
            let rope = Rope::of(out, head, pieces);
            out.truncate(start);
            if !compresses {
                self.put_header(out, 0, rope.len())?;
                return Ok(Some(rope));
            }
            out.extend_from_slice(&[0; HEADER_LENGTH]);
            rope.into_iter().for_each(|it| out.extend_from_slice(&it));
        }
        self.check(out.len() - head)?;
        let mut flag = 0;
        if compresses && out.len() - head >= COMPRESS_FROM {
            let packed = gzip::pack(out.get(head..).unwrap_or_default())?;
            out.truncate(head);
            out.extend_from_slice(&packed);
            flag = COMPRESSED;
        }
        let length = out.len() - head;
        if let Some(place) = out.get_mut(start..head) {
            place.copy_from_slice(&header(flag, length));
        }
        Ok(None)
    }

    pub(super) fn put_header(
        &self,
        out: &mut BytesMut,
        flag: u8,
        length: usize,
    ) -> Result<(), Status> {
        self.check(length)?;
        out.extend_from_slice(&header(flag, length));
        Ok(())
    }

    fn check(&self, length: usize) -> Result<(), Status> {
        let (limit, owner) = (self.max_message, self.owner);
        if length <= limit {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "a message of {length} bytes is over the {owner}'s limit `max_message` of {limit} bytes"
        )))
    }
}

/// Puts bytes that are no message, and are not compressed, into an envelope.
pub(in crate::wire::http) fn envelope(flag: u8, bytes: &[u8]) -> Bytes {
    [&header(flag, bytes.len())[..], bytes].concat().into()
}

/// Writes a header; no message is longer than its limit, which fits.
fn header(flag: u8, length: usize) -> [u8; HEADER_LENGTH] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [flag, a, b, c, d]
}

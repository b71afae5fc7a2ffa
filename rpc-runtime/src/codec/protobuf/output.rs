//! Where a protobuf message is written to: [`BinaryOutput`].

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::codec::shared_bytes::{LARGE, Pieces};
use crate::codec::{CodecError, Encoding};

/// The place for a message in binary form, which takes large `Bytes` without copying them.
pub struct BinaryOutput<'a> {
    buffer: &'a mut BytesMut,
    pieces: Option<&'a mut Pieces>,
}

impl<'a> BinaryOutput<'a> {
    /// Copies everything into the buffer.
    pub(super) fn copying(buffer: &'a mut BytesMut) -> Self {
        Self {
            buffer,
            pieces: None,
        }
    }

    /// Makes a piece of each large `Bytes`.
    pub(super) fn sharing(buffer: &'a mut BytesMut, pieces: &'a mut Pieces) -> Self {
        Self {
            buffer,
            pieces: Some(pieces),
        }
    }

    /// Appends a copy of `bytes`.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends `bytes`, without copying them if they are large and the message is for a wire.
    pub fn put_shared(&mut self, bytes: Bytes) {
        match &mut self.pieces {
            Some(pieces) if bytes.len() >= LARGE => pieces.push(self.buffer.len(), bytes),
            _ => self.put_slice(&bytes),
        }
    }

    /// Appends so many bytes, which `write` says whether it has written.
    pub(super) fn fill(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut [u8]) -> bool,
    ) -> Result<(), CodecError> {
        let start = self.buffer.len();
        self.buffer.resize(start + size, 0);
        let room = self.buffer.get_mut(start..).unwrap_or_default();
        if write(room) {
            return Ok(());
        }
        let text = "the message has another size than it says";
        Err(CodecError::encode(Encoding::PROTOBUF, text))
    }

    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.buffer
    }

    /// Takes back what was appended of a message that could not be encoded.
    pub(super) fn take_back(&mut self, before: usize) {
        self.buffer.truncate(before);
        if let Some(pieces) = &mut self.pieces {
            pieces.clear();
        }
    }
}

impl fmt::Debug for BinaryOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BinaryOutput(at {})", self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_another_size_than_it_says_is_refused() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut output = BinaryOutput::copying(&mut out);
        let whole = output.fill(2, |room| {
            room.copy_from_slice(b"ab");
            true
        });
        whole.unwrap();
        let short = output.fill(3, |room| {
            room[..2].copy_from_slice(b"cd");
            false
        });
        assert!(short.unwrap_err().to_string().contains("another size"));
        output.take_back(8);
        assert_eq!(out, b"beforeab"[..]);
    }
}

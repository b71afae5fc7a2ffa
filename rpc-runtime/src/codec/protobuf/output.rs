//! Where a protobuf message is written to: [`BinaryOutput`].

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::codec::shared_bytes::{LARGE, Pieces};

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

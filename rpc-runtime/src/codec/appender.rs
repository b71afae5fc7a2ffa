//! Where encoders write: [`Appender`].

use std::io;

use bytes::{Bytes, BytesMut};

use super::shared_bytes::{LARGE, Pieces};

/// Writes into a buffer that grows. `BufMut::writer` does the same with one more check a write.
pub(super) struct Appender<'a> {
    pub(super) out: &'a mut BytesMut,
    /// What is shared instead of copied.
    pub(super) large: &'a [Option<&'a Bytes>],
    pub(super) pieces: &'a mut Pieces,
}

impl Appender<'_> {
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.len() < LARGE || !self.share(bytes) {
            self.out.extend_from_slice(bytes);
        }
    }

    /// Takes a slice that is all of a known `Bytes` by reference.
    fn share(&mut self, slice: &[u8]) -> bool {
        let known = self.large.iter().flatten();
        let found = known.copied().find(|it| std::ptr::eq(&***it, slice));
        if let Some(bytes) = found {
            self.pieces.push(self.out.len(), bytes.clone());
        }
        found.is_some()
    }
}

impl io::Write for Appender<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

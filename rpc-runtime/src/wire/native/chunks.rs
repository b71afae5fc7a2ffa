//! Bytes for the socket, of which large pieces are not copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Bodies from this size on are queued as they are instead of being copied.
pub(super) const BY_REFERENCE: usize = 8 << 10;

/// Bytes in order: chunks first, then the buffer that grows.
#[derive(Default)]
pub(super) struct Chunks {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        self.length += bytes.len();
    }

    pub(super) fn put_by_reference(&mut self, bytes: Bytes) {
        if bytes.len() < BY_REFERENCE {
            return self.put(&bytes);
        }
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
        self.length += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Returns what is there by reference.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&self.tail, |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let chunks = self.chunks.iter().map(|chunk| &chunk[..]);
        let chunks = chunks.chain([&self.tail[..]]).filter(|it| !it.is_empty());
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks) {
            *slice = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count.min(self.length);
        while let Some(front) = self.chunks.front_mut() {
            let step = count.min(front.len());
            front.advance(step);
            count -= step;
            if !front.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
        let step = count.min(self.tail.len());
        self.tail.advance(step);
        if self.tail.is_empty() {
            // Keeps the memory for the next frames.
            self.tail.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_advance_over_every_boundary() {
        let mut chunks = Chunks::default();
        chunks.put(b"ab");
        chunks.put_by_reference(Bytes::from(vec![b'c'; BY_REFERENCE]));
        chunks.put(b"de");
        let total = chunks.remaining();
        let mut seen = Vec::new();
        while chunks.has_remaining() {
            seen.push(chunks.chunk()[0]);
            chunks.advance(1);
        }
        assert_eq!(seen.len(), total);
        assert!(seen.starts_with(b"abc") && seen.ends_with(b"cde"));
    }
}

//! A large message on its way out, in pieces that are not copied together.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::codec::Pieces;

/// Bytes in one or more pieces.
#[derive(Default, Debug)]
pub(crate) struct Rope {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        let mut rope = Self::default();
        rope.push(bytes);
        rope
    }
}

impl Rope {
    /// Cuts what follows `head` out of `buffer`, and puts it together with its pieces.
    pub(crate) fn of(buffer: &mut BytesMut, head: usize, pieces: Pieces) -> Self {
        let mut rope = Self::default();
        let mut rest = buffer.get(head..).unwrap_or_default();
        let mut taken = head;
        for (position, piece) in pieces.into_parts() {
            let before = position.saturating_sub(taken).min(rest.len());
            let (copied, after) = rest.split_at(before);
            rope.push(Bytes::copy_from_slice(copied));
            rope.push(piece);
            (rest, taken) = (after, position);
        }
        rope.push(Bytes::copy_from_slice(rest));
        buffer.truncate(head);
        rope
    }

    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes out the first piece if it has at most `length` bytes and another follows: what stands
    /// before a large `Bytes`, which then is cut into whole fragments.
    pub(crate) fn take_short(&mut self, length: usize) -> Bytes {
        match self.pieces.front() {
            Some(first) if first.len() <= length && self.pieces.len() > 1 => {
                self.take_up_to(length).unwrap_or_default()
            }
            _ => Bytes::new(),
        }
    }

    /// Takes out the first piece, or so much of it.
    pub(crate) fn take_up_to(&mut self, length: usize) -> Option<Bytes> {
        let first = self.pieces.front_mut()?;
        let taken = first.split_to(length.min(first.len()));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        self.length -= taken.len();
        Some(taken)
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }
}

impl IntoIterator for Rope {
    type Item = Bytes;
    type IntoIter = std::collections::vec_deque::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter()
    }
}

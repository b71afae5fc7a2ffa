//! Messages of a stream that are encoded one behind the other, for a wire that sends many at once.

use bytes::BytesMut;
use http::HeaderMap;

use super::message::{Message, ValueMessage};
use super::rope::Rope;
use crate::codec::{Encodes, Encoding, Pieces};
use crate::status::Status;

/// What stands before each message, but for its length, which is written into it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prefix {
    /// The first four bytes become the length, little endian.
    LengthFirst([u8; 16]),
    /// The last four bytes become the length, big endian.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "envelopes have it"))]
    LengthLast([u8; 5]),
}

impl Prefix {
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::LengthFirst(bytes) => bytes,
            Self::LengthLast(bytes) => bytes,
        }
    }

    /// Writes the length of a message into what stands before it.
    fn put_length(&self, placed: &mut [u8], length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        match self {
            Self::LengthFirst(_) => {
                if let Some(place) = placed.first_chunk_mut() {
                    *place = length.to_le_bytes();
                }
            }
            Self::LengthLast(_) => {
                if let Some(place) = placed.last_chunk_mut() {
                    *place = length.to_be_bytes();
                }
            }
        }
    }
}

/// Room is made for a multiple of so many bytes, as no two batches are of the same length.
const SPARE: usize = 512;

/// Writes the word that so many messages of a call were left out before the next one.
pub(crate) type PutSkip = fn(out: &mut BytesMut, call: u64, skipped: u32);

/// Where a stream leaves its messages when they are wanted as bytes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Batch {
    encoding: Encoding,
    prefix: Prefix,
    bounds: BatchBounds,
    bytes: BytesMut,
    /// The length of what was taken out last.
    taken: usize,
    large: Option<Rope>,
    failed: Option<Status>,
    /// Writes the word that messages of this call were left out, where the wire has one.
    put_skip: Option<(PutSkip, u64)>,
    /// The length of such words in `bytes`.
    skips: usize,
}

/// How much a batch takes.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct BatchBounds {
    /// No message is added behind this many bytes, prefixes included.
    pub(crate) length: usize,
    /// A message of this size or more, or with pieces that are shared, comes out by itself, and is
    /// the last one.
    pub(crate) large: usize,
}

/// Why a stream has stopped adding to a batch. What is in the batch comes first.
#[derive(Debug)]
pub(crate) enum Filled {
    /// The batch takes no more.
    Full,
    /// The stream has nothing more now and has left its waker.
    Waiting,
    /// The good end, with the metadata behind the last message.
    Ended(HeaderMap),
    /// The stream failed.
    Failed(Status),
}

impl Default for Batch {
    fn default() -> Self {
        Self::new(Encoding::MESSAGE_PACK, Prefix::LengthFirst([0; 16]))
    }
}

impl Batch {
    pub(crate) fn new(encoding: Encoding, prefix: Prefix) -> Self {
        Self {
            encoding,
            prefix,
            bounds: BatchBounds::default(),
            bytes: BytesMut::new(),
            taken: 0,
            large: None,
            failed: None,
            put_skip: None,
            skips: 0,
        }
    }

    /// Says of this call how many messages were left out before one.
    pub(crate) fn telling_skips(mut self, put_skip: PutSkip, call: u64) -> Self {
        self.put_skip = Some((put_skip, call));
        self
    }

    /// Returns how many of the bytes say that messages were left out.
    pub(crate) fn skips_len(&self) -> usize {
        self.skips
    }

    fn put_skip(&mut self, skipped: u32) {
        if let Some((put, call)) = self.put_skip {
            let start = self.bytes.len();
            put(&mut self.bytes, call, skipped);
            self.skips += self.bytes.len() - start;
        }
    }

    /// Empties the batch, and keeps its memory.
    pub(crate) fn begin(&mut self, bounds: BatchBounds) {
        self.bytes.clear();
        self.large = None;
        self.failed = None;
        self.skips = 0;
        self.bounds = bounds;
    }

    /// Says whether it takes no more.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= self.bounds.length || self.large.is_some() || self.failed.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.large.is_none() && self.failed.is_none()
    }

    /// Returns the messages that are not large, each behind its prefix.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the messages that are not large out. Their memory is used again for the next ones if it is free by then,
    /// and more of those come at once.
    ///
    /// Memory of its own for each batch would come with a block of 24 bytes, which is taken here and given back by whoever
    /// writes. So the small blocks of two threads would end up side by side, as strings as well, and each write to one
    /// take its cache line from the other thread: a stream of small messages was slowed down by half in most runs.
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "HTTP hands them over")
    )]
    pub(crate) fn take_bytes(&mut self, more_come: bool) -> BytesMut {
        self.taken = self.bytes.len();
        if more_come {
            self.bytes.split()
        } else {
            std::mem::take(&mut self.bytes)
        }
    }

    /// Takes the large message that comes behind the others.
    pub(crate) fn take_large(&mut self) -> Option<Rope> {
        self.large.take()
    }

    /// Takes the reason why the message behind all of these cannot be sent.
    pub(crate) fn take_failure(&mut self) -> Option<Status> {
        self.failed.take()
    }

    /// Encodes a value as the next message.
    pub(crate) fn put<C, T>(&mut self, value: T)
    where
        C: Encodes<T>,
        T: Send + 'static,
    {
        let encoding = self.encoding;
        self.append(|out, pieces| ValueMessage::<C, T>::encode(&value, encoding, out, pieces));
    }

    /// Adds a message that was made already.
    pub(crate) fn put_message(&mut self, mut message: Message) {
        if message.skipped() > 0 {
            self.put_skip(message.skipped());
        }
        if let Some(bytes) = message.as_bytes()
            && bytes.len() >= self.bounds.large
        {
            self.large = Some(bytes.clone().into());
            return;
        }
        let encoding = self.encoding;
        self.append(|out, pieces| message.encode_into(encoding, out, pieces));
    }

    fn append(&mut self, encode: impl FnOnce(&mut BytesMut, &mut Pieces) -> Result<(), Status>) {
        let start = self.bytes.len();
        let head = start + self.prefix.len();
        let mut pieces = Pieces::default();
        if start == 0 {
            // The next ones will be about as many: growing up to there moves them a few times.
            self.bytes.reserve(self.taken.next_multiple_of(SPARE));
        }
        self.bytes.extend_from_slice(self.prefix.bytes());
        if let Err(status) = encode(&mut self.bytes, &mut pieces) {
            self.bytes.truncate(start);
            self.failed = Some(status);
            return;
        }
        let length = self.bytes.len() - head;
        if !pieces.is_empty() {
            self.large = Some(Rope::of(&mut self.bytes, head, pieces));
            self.bytes.truncate(start);
        } else if length >= self.bounds.large {
            self.large = Some(self.bytes.split_off(head).freeze().into());
            self.bytes.truncate(start);
        } else if let Some(placed) = self.bytes.get_mut(start..head) {
            self.prefix.put_length(placed, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::Serde;

    #[test]
    fn large_bytes_come_out_by_themselves_and_are_not_copied() {
        let item = Bytes::from(vec![7; 20_000]);
        let wrap = ValueMessage::<Serde, Bytes>::wrap;
        let puts: [fn(&mut Batch, Bytes); 2] = [Batch::put::<Serde, Bytes>, |batch, item| {
            batch.put_message(ValueMessage::<Serde, Bytes>::wrap(item));
        }];
        for put in puts {
            let mut batch = Batch::default();
            batch.begin(BatchBounds {
                length: 100_000,
                large: 16_384,
            });
            batch.put_message(wrap(Bytes::from_static(b"small")));
            let before = batch.bytes().to_vec();
            put(&mut batch, item.clone());
            assert!(batch.is_full());
            assert_eq!(batch.bytes(), before, "only the small one");
            let large = batch.take_large().expect("a message by itself");
            let mut expected = wrap(item.clone());
            let expected = expected.bytes(Encoding::MESSAGE_PACK).unwrap();
            assert_eq!(
                large.pieces().flatten().copied().collect::<Vec<_>>(),
                expected
            );
            assert!(large.pieces().any(|it| it.as_ptr() == item.as_ptr()));
        }
    }

    #[test]
    fn memory_is_used_again_once_the_messages_are_gone() {
        let mut batch = Batch::default();
        let mut fill = |more_come| {
            batch.begin(BatchBounds {
                length: 4_000,
                large: 16_384,
            });
            while !batch.is_full() {
                batch.put::<Serde, u64>(7);
            }
            batch.take_bytes(more_come).freeze()
        };
        let first = fill(true);
        let second = fill(true);
        assert_ne!(first.as_ptr(), second.as_ptr(), "both are in use");
        let address = second.as_ptr();
        drop((first, second));
        assert_eq!(fill(false).as_ptr(), address);
        assert_eq!(batch.bytes.capacity(), 0, "who waits holds nothing");
    }
}

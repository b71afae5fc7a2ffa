//! `Bytes` that cross the codec without a copy.
//!
//! A large `Bytes` that is an argument, a result or an item of its own is not copied into the
//! encoded message: it becomes a [piece](Pieces) of it. On the way back it is a slice of the bytes
//! that were read. Inside a user's own struct a `Bytes` is copied once each way, because serde
//! shows only slices of it.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};

/// From this length on `Bytes` are shared; a copy of fewer costs less than it saves.
pub(crate) const LARGE: usize = 16 << 10;

/// A slice keeps the whole message in memory, so it must be at least this part of it.
const LEAST_PART: usize = 4;

/// The most that is reserved for a list of bytes by what its length claims to be.
const MOST_RESERVED: usize = 4 << 10;

/// Parts of an encoded value that are not in its buffer, in order.
#[derive(Default, Debug)]
pub struct Pieces(Vec<(usize, Bytes)>);

impl Pieces {
    /// Adds what stands before the rest of the buffer from `position` on.
    pub(crate) fn push(&mut self, position: usize, bytes: Bytes) {
        self.0.push((position, bytes));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each piece with the position in the buffer that it stands before.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = (usize, Bytes)> {
        self.0.into_iter()
    }
}

/// Says whether to keep a slice of a message rather than a copy of it.
#[inline]
pub(super) fn is_worth_sharing(length: usize, whole: usize) -> bool {
    length >= LARGE && length >= whole / LEAST_PART
}

/// Returns the value if it is a `Bytes` worth sharing.
#[inline]
pub(super) fn as_large_bytes<T: 'static>(value: &T) -> Option<&Bytes> {
    let bytes = (value as &dyn Any).downcast_ref::<Bytes>()?;
    (bytes.len() >= LARGE).then_some(bytes)
}

/// Deserializes a value; a `Bytes` as a slice of what it is read from, if it is large.
pub(super) struct SharingSeed<'a, T> {
    source: &'a Bytes,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> SharingSeed<'a, T> {
    #[inline]
    pub(super) fn new(source: &'a Bytes) -> Self {
        Self {
            source,
            value: PhantomData,
        }
    }
}

impl<'de, T: DeserializeOwned + 'static> DeserializeSeed<'de> for SharingSeed<'_, T> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let mut bytes: Option<Bytes> = None;
        // An `Option<T>` is an `Option<Bytes>` only if `T` is `Bytes`; known when this is compiled.
        let Some(slot) = (&mut bytes as &mut dyn Any).downcast_mut::<Option<T>>() else {
            return T::deserialize(deserializer);
        };
        let visitor = BytesVisitor(self.source);
        *slot = cast(deserializer.deserialize_bytes(visitor)?);
        slot.take()
            .ok_or_else(|| serde::de::Error::custom("not the type that it was"))
    }
}

/// Returns the bytes as the type that they are.
fn cast<T: 'static>(bytes: Bytes) -> Option<T> {
    let mut bytes = Some(bytes);
    (&mut bytes as &mut dyn Any)
        .downcast_mut::<Option<T>>()?
        .take()
}

/// Reads what the `Deserialize` of `Bytes` reads, but may keep a slice.
struct BytesVisitor<'a>(&'a Bytes);

impl BytesVisitor<'_> {
    fn share(&self, slice: &[u8]) -> Bytes {
        let source = self.0.as_ptr_range();
        let slice_range = slice.as_ptr_range();
        // A format that is not ours may lend bytes of its own.
        let is_part = source.start <= slice_range.start && slice_range.end <= source.end;
        if is_part && is_worth_sharing(slice.len(), self.0.len()) {
            self.0.slice_ref(slice)
        } else {
            Bytes::copy_from_slice(slice)
        }
    }
}

impl<'de> Visitor<'de> for BytesVisitor<'_> {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("byte array")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
        Ok(self.share(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Bytes, E> {
        Ok(self.share(text.as_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn visit_string<E>(self, text: String) -> Result<Bytes, E> {
        Ok(text.into_bytes().into())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Bytes, S::Error> {
        let claimed = seq.size_hint().unwrap_or(0);
        let mut bytes = Vec::with_capacity(claimed.min(MOST_RESERVED));
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

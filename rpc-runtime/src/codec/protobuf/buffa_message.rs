//! The messages of `buffa`, which `rpc-build` writes: the only place that knows which crate they
//! come from.

use std::marker::PhantomData;
use std::rc::Rc;

use buffa::extension_registry::extension_registry;
use buffa::message::checked_encode_size;
use buffa::{DecodeError, DecodeOptions, EncodeSink, Message, SizeCache, UnknownField};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::aside::put_aside;
use super::registered::watched;
use super::{BinaryOutput, ProtobufMessage};
use crate::codec::bounded::Bounds;
use crate::codec::serde_codec::read_json;
use crate::codec::shared_bytes::{LARGE, is_worth_sharing};
use crate::codec::stack::Stack;
use crate::codec::{CodecError, DecodeLimits, Encoding};

// Hidden, because whose messages these are may change without notice.
#[doc(hidden)]
#[diagnostic::do_not_recommend]
impl<T: Message + Serialize + DeserializeOwned + 'static> ProtobufMessage for T {
    fn encode_binary(&self, out: &mut BinaryOutput<'_>) -> Result<(), CodecError> {
        let mut sizes = SizeCache::new();
        let size = checked_encode_size(self.compute_size(&mut sizes))
            .map_err(|error| CodecError::encode(Encoding::PROTOBUF, error))?;
        match usize::try_from(size) {
            // No part of it is shared, and its room is made at once.
            Ok(size) if size < LARGE => out.fill(size, |mut room| {
                self.write_to(&mut sizes, &mut room);
                room.is_empty()
            }),
            _ => {
                self.write_to(&mut sizes, out);
                Ok(())
            }
        }
    }

    fn decode_binary(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError> {
        Self::decode_binary_part(bytes, bytes, limits)
    }

    fn decode_binary_part(
        bytes: &[u8],
        whole: &Bytes,
        limits: DecodeLimits,
    ) -> Result<Self, CodecError> {
        let mut source = Source {
            rest: bytes,
            length: bytes.len(),
            whole,
            stack: Stack::new(limits),
        };
        let decoded = options(limits).decode(&mut source);
        if source.stack.is_used_up() {
            return Err(CodecError::no_stack(Encoding::PROTOBUF, &source.stack));
        }
        decoded.map_err(|error| decode_error(error, limits))
    }

    fn encode_json(&self, out: &mut BytesMut) -> Result<(), CodecError> {
        serde_json::to_writer(out.writer(), self)
            .map_err(|error| CodecError::encode(Encoding::JSON, error))
    }

    fn decode_json(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError> {
        // With nothing registered, neither an `Any` nor an extension is read from what was put aside.
        if extension_registry().is_none() {
            let bounds = Bounds::new(limits, bytes.len());
            return read_json(PhantomData::<Self>, bytes, &bounds)
                .map_err(|error| CodecError::within(&bounds, Encoding::JSON, error));
        }
        if put_aside(bytes) > limits.element_memory() {
            return Err(CodecError::too_large(Encoding::JSON, limits));
        }
        let bounds = Rc::new(Bounds::new(limits, bytes.len()));
        watched(&bounds, || read_json(PhantomData::<Self>, bytes, &bounds))
            .map_err(|error| CodecError::within(&bounds, Encoding::JSON, error))
    }
}

fn options(limits: DecodeLimits) -> DecodeOptions {
    // The message itself is the first level, and buffa counts those below it.
    let levels_below = limits.depth().saturating_sub(1);
    DecodeOptions::new()
        .with_recursion_limit(u32::try_from(levels_below).unwrap_or(u32::MAX))
        .with_element_memory_limit(limits.element_memory())
        .with_unknown_field_limit(limits.element_memory() / size_of::<UnknownField>())
}

#[cold]
fn decode_error(error: DecodeError, limits: DecodeLimits) -> CodecError {
    match error {
        DecodeError::RecursionLimitExceeded => CodecError::too_deep(Encoding::PROTOBUF, limits),
        DecodeError::ElementMemoryLimitExceeded | DecodeError::UnknownFieldLimitExceeded => {
            CodecError::too_large(Encoding::PROTOBUF, limits)
        }
        DecodeError::UnexpectedEof => CodecError::truncated(Encoding::PROTOBUF),
        error => CodecError::decode(Encoding::PROTOBUF, error),
    }
}

/// Takes large `Bytes` as they are, and copies the rest.
#[doc(hidden)]
impl EncodeSink for BinaryOutput<'_> {
    const IS_SEGMENTED: bool = true;

    #[inline]
    fn put_u8(&mut self, value: u8) {
        BufMut::put_u8(self.buffer(), value);
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    #[inline]
    fn put_u32_le(&mut self, value: u32) {
        BufMut::put_u32_le(self.buffer(), value);
    }

    #[inline]
    fn put_u64_le(&mut self, value: u64) {
        BufMut::put_u64_le(self.buffer(), value);
    }

    fn put_shared(&mut self, bytes: Bytes) {
        Self::put_shared(self, bytes);
    }
}

/// The message that is read, which lends large `Bytes` and copies small ones, as a slice keeps the
/// whole message in memory.
///
/// Every level of a message reads from here before it goes into the next one, so this is where the
/// stack is watched: when it is used up, the message ends, which every reader knows how to take.
struct Source<'a> {
    rest: &'a [u8],
    length: usize,
    /// What the message is a part of, or all of.
    whole: &'a Bytes,
    stack: Stack,
}

impl Source<'_> {
    #[inline]
    fn end_with_the_stack(&mut self) {
        if self.stack.ends_here() {
            self.rest = &[];
        }
    }
}

impl Buf for Source<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.rest
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.end_with_the_stack();
    }

    /// A number is read byte by byte where the message ends, which it may do meanwhile.
    #[inline]
    fn get_u8(&mut self) -> u8 {
        let byte = self.rest.first().copied().unwrap_or_default();
        self.advance(1);
        byte
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        let length = length.min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        if is_worth_sharing(length, self.length) {
            return self.whole.slice_ref(bytes);
        }
        Bytes::copy_from_slice(bytes)
    }
}

//! MessagePack (<https://msgpack.org>) for serde: what every message is unless someone chose another
//! encoding.
//!
//! # What stands for what
//!
//! | serde | MessagePack |
//! |---|---|
//! | `bool`, floats, `()` | boolean, float of the same size, nil |
//! | integers | the shortest integer that holds the value; of 128 bits, their 16 bytes |
//! | `char`, strings; bytes | string; binary |
//! | `Option` | nil, or the value itself |
//! | lists, tuples, tuple structs | array |
//! | maps, structs | map; the keys of a struct are the names of its fields |
//! | newtype struct; unit struct | the value in it; an empty array |
//! | variant without data; with data | its name; a map of its name to its data |
//! | newtype struct named `_ExtStruct`, of a type and bytes | extension |
//!
//! This is how rmp-serde writes with named fields, byte for byte, and tests compare the two. Read
//! are also structs and variants' data as arrays, lists of bytes as binary, and strings where bytes
//! are asked for.
//!
//! # Why it is our own
//!
//! Decoding is where a peer's bytes do harm, so the limits stand here and not in a pass before it:
//! [`Reader`] is the only one who touches bytes, and keeps them all. Messages are also most of what
//! a small call costs, and this is made for what calls are made of: small structs with short
//! strings, read from a slice and written to a `BytesMut`.

mod access;
mod containers;
mod deserializer;
mod error;
mod read;
mod serializer;
mod skip;
mod text;
mod write;

use serde::Serialize;
use serde::de::DeserializeSeed;

use self::deserializer::Deserializer;
pub(super) use self::error::Error;
use self::read::Reader;
use self::serializer::Serializer;
use super::appender::Appender;
use super::limits::DecodeLimits;
use super::malformed::Malformed;

/// The name of a newtype struct that is an extension, as rmp-serde and rmpv have it.
const EXTENSION: &str = "_ExtStruct";

/// Why bytes were not decoded.
pub(super) enum DecodeError {
    /// They are not MessagePack, or break a limit.
    Malformed(Malformed),
    /// They do not fit the type.
    Unfit(Error),
}

/// Appends a value.
#[inline]
pub(super) fn encode<T: Serialize>(value: &T, out: &mut Appender<'_>) -> Result<(), Error> {
    value.serialize(&mut Serializer::new(out))
}

/// Reads the one value that `bytes` hold.
#[inline]
pub(super) fn decode<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    limits: DecodeLimits,
) -> Result<S::Value, DecodeError> {
    let mut deserializer = Deserializer::new(Reader::new(bytes, limits));
    match seed.deserialize(&mut deserializer) {
        Ok(value) => match deserializer.reader.finish() {
            Ok(()) => Ok(value),
            Err(malformed) => Err(DecodeError::Malformed(malformed)),
        },
        Err(error) => Err(explain(&deserializer.reader, error)),
    }
}

/// Says where a value was read that does not fit, or what is wrong with the message.
#[cold]
fn explain(reader: &Reader<'_>, error: Error) -> DecodeError {
    match reader.malformed() {
        Some(malformed) => DecodeError::Malformed(malformed),
        None => DecodeError::Unfit(error.at(reader.position())),
    }
}

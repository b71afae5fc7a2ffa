//! Values to bytes and back: [`Encoding`], [`Codec`], and what keeps hostile bytes from doing harm.
//!
//! A *codec* is a type that a service is generated with, and says which values can cross the wire
//! at all: [`Serde`] takes every type with serde's two traits; with the feature `protobuf` there is
//! `Protobuf`, which takes protobuf messages. An *encoding* is what the bytes look like, such as
//! [`Encoding::JSON`], and is chosen within the codec for each client or call.
//!
//! # Bytes from a peer
//!
//! A stack overflow is not a panic: nothing catches it and it ends the process. How deep values nest
//! is therefore bounded, whether or not the target type has a place for them: by our own decoder of
//! MessagePack as it goes, and by a scan without recursion before serde_json sees a JSON text. Every
//! length is checked against the bytes that are left. Bytes after the value are an error.
//!
//! How much stack a level takes depends on the type, so decoding also watches how much it has taken, and goes no deeper when
//! that is enough ([`DecodeLimits::max_stack`]).

mod appender;
mod args;
mod bounded;
mod encoding;
mod error;
mod format;
mod limits;
mod malformed;
mod memory;
mod message_pack;
#[cfg(feature = "protobuf")]
pub(crate) mod protobuf;
mod registry;
mod scan;
mod serde_codec;
mod shared_bytes;
mod stack;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

pub use self::encoding::Encoding;
pub use self::error::CodecError;
pub use self::format::{AnySeed, AnyValue, Format};
pub use self::limits::DecodeLimits;
#[cfg(feature = "protobuf")]
pub use self::protobuf::{BinaryOutput, Protobuf, ProtobufArguments, ProtobufMessage};
pub use self::registry::RegisterError;
#[cfg(feature = "postcard")]
pub use self::serde_codec::SerdeWithPostcard;
pub(crate) use self::serde_codec::encode as encode_serde;
pub use self::serde_codec::{Serde, SerdeFamily, SerdeValue};
#[cfg(test)]
use self::shared_bytes::LARGE;
#[doc(hidden)]
pub use self::shared_bytes::Pieces;

/// A family of encodings that one service can speak.
///
/// The type parameter of generated clients and servers. It is never instantiated: [`Serde`] and
/// the like are enums without variants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    label = "not a codec",
    note = "the codecs of this crate are `Serde`, `SerdeWithPostcard` and `Protobuf` in `rpc_runtime::codec`"
)]
pub trait Codec: Send + Sync + 'static {
    /// What a client uses when nobody chose an encoding.
    const DEFAULT: Encoding;

    /// Whether the one argument of a method is its whole message, as if every method were `bare`.
    const IS_BARE: bool = false;

    /// Returns whether values can travel in this encoding.
    fn supports(encoding: Encoding) -> bool;

    /// Returns the names of the supported encodings, such as `msgpack, json`, for error messages.
    fn supported() -> String;
}

/// A codec that can encode and decode the values of `T`.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot cross the wire with the codec `{Self}`",
    label = "this type cannot be encoded and decoded",
    note = "under `Serde`, derive `serde::Serialize` and `serde::Deserialize` for it",
    note = "a type that borrows, such as `&str`, must become one that owns, such as `String`"
)]
pub trait Encodes<T>: Codec {
    /// Appends the encoded value to `out`.
    ///
    /// # Errors
    ///
    /// When the codec does not support the encoding, or the value has no form in it (JSON: a map
    /// whose keys are not strings). `out` is then as it was before.
    fn encode(value: &T, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Like `encode`, but large `Bytes` need not be copied and become pieces of the message.
    #[doc(hidden)]
    fn encode_sharing(
        value: &T,
        encoding: Encoding,
        out: &mut BytesMut,
        _pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        Self::encode(value, encoding, out)
    }

    /// Reads a value that must fill all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the codec does not support the encoding, or `bytes` break its rules, the limits, or
    /// the shape of `T`.
    fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<T, CodecError>;

    /// Like `decode`, for a value that is a part of `whole`.
    #[doc(hidden)]
    fn decode_part(
        bytes: &[u8],
        whole: &Bytes,
        encoding: Encoding,
        limits: DecodeLimits,
    ) -> Result<T, CodecError> {
        Self::decode(&whole.slice_ref(bytes), encoding, limits)
    }
}

/// A codec that can encode and decode the arguments `A` of a method, a tuple of up to 16.
///
/// Arguments travel as a map by name, so that both sides can grow: an unknown name is ignored, a
/// missing argument is an error that names it, and a missing [`Option`] is `None`. An array is read
/// too, in the order of the names. No arguments are no bytes; an empty map, an empty array and null
/// are read as well. `SerdeWithPostcard` writes the values only, in order.
#[diagnostic::on_unimplemented(
    message = "the arguments `{A}` cannot cross the wire with the codec `{Self}`",
    label = "these arguments cannot be encoded and decoded",
    note = "every argument needs `serde::Serialize` and `serde::Deserialize`, which can be derived",
    note = "a method has at most 16 arguments; put more into a struct"
)]
pub trait EncodesArgs<A>: Codec {
    /// Appends the encoded arguments to `out`.
    ///
    /// # Errors
    ///
    /// As for [`Encodes::encode`].
    fn encode_args(
        names: &'static [&'static str],
        args: &A,
        encoding: Encoding,
        out: &mut BytesMut,
    ) -> Result<(), CodecError>;

    /// Like `encode_args`, but large `Bytes` need not be copied and become pieces of the message.
    #[doc(hidden)]
    fn encode_args_sharing(
        names: &'static [&'static str],
        args: &A,
        encoding: Encoding,
        out: &mut BytesMut,
        _pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        Self::encode_args(names, args, encoding, out)
    }

    /// Reads arguments that must fill all of `bytes`.
    ///
    /// # Errors
    ///
    /// As for [`Encodes::decode`], and when an argument is missing, is there twice, or is one more
    /// than the method has.
    fn decode_args(
        names: &'static [&'static str],
        bytes: &Bytes,
        encoding: Encoding,
        limits: DecodeLimits,
    ) -> Result<A, CodecError>;
}

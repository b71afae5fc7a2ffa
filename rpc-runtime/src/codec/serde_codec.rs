//! The codecs for every type with serde's two traits: [`Serde`] and `SerdeWithPostcard`.

use std::error::Error as StdError;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::appender::Appender;
use super::args::{Arguments, ReadArguments, ReadNoArguments, WriteArguments};
use super::bounded::{Bounded, Bounds};
use super::encoding::Kind;
use super::format::{AnySeed, AnyValue, Format};
use super::message_pack::DecodeError;
use super::registry::REGISTRY;
use super::shared_bytes::{Pieces, SharingSeed, as_large_bytes};
use super::{Codec, CodecError, DecodeLimits, Encodes, EncodesArgs, Encoding, message_pack, scan};

/// MessagePack, JSON and registered formats, for every type that is `Serialize` and
/// `DeserializeOwned`.
///
/// The default is MessagePack with the names of fields. Both it and JSON are safe against hostile
/// bytes; a registered [`Format`] is as safe as its author made it.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use rpc_runtime::codec::{DecodeLimits, Encodes, Encoding, Serde};
///
/// let mut out = BytesMut::new();
/// Serde::encode(&vec![1, 2, 3], Encoding::JSON, &mut out)?;
/// assert_eq!(&out[..], b"[1,2,3]");
///
/// let numbers: Vec<i32> = Serde::decode(&out.freeze(), Encoding::JSON, DecodeLimits::default())?;
/// assert_eq!(numbers, [1, 2, 3]);
/// # Ok::<(), rpc_runtime::codec::CodecError>(())
/// ```
#[derive(Debug)]
pub enum Serde {}

impl Codec for Serde {
    const DEFAULT: Encoding = Encoding::MESSAGE_PACK;

    fn supports(encoding: Encoding) -> bool {
        matches!(encoding, Encoding::MESSAGE_PACK | Encoding::JSON) || encoding.is_registered()
    }

    fn supported() -> String {
        names_after("msgpack, json")
    }
}

/// What [`Serde`] has, and Postcard, which is its default: for peers that are built together and
/// trust each other.
///
/// Postcard writes values without their names or types. It is small and fast, but a peer built
/// from another version of a type misreads it, and it cannot be scanned: **bytes of a peer that is
/// not trusted can overflow the stack** where a type is recursive, elements of lists may take hundreds
/// of times the memory of their bytes, and a claim of 2⁶⁴ units keeps a core busy.
#[cfg(feature = "postcard")]
#[derive(Debug)]
pub enum SerdeWithPostcard {}

#[cfg(feature = "postcard")]
impl Codec for SerdeWithPostcard {
    const DEFAULT: Encoding = Encoding::POSTCARD;

    fn supports(encoding: Encoding) -> bool {
        encoding == Encoding::POSTCARD || Serde::supports(encoding)
    }

    fn supported() -> String {
        names_after("msgpack, json, postcard")
    }
}

/// No codec of serde types supports protobuf, so this is seen only if that changes.
#[cfg(feature = "protobuf")]
const NO_PROTOBUF: &str = "types of serde have no protobuf form";

/// A codec of serde types.
pub trait SerdeFamily: Codec {}

impl SerdeFamily for Serde {}

#[cfg(feature = "postcard")]
impl SerdeFamily for SerdeWithPostcard {}

/// Returns the names of the built-in encodings and those of the registered formats.
fn names_after(built_in: &str) -> String {
    let registered = REGISTRY.iter().map(|entry| entry.name);
    std::iter::once(built_in)
        .chain(registered)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A type that [`Serde`] can encode and decode: every `Serialize` and `DeserializeOwned` is one.
///
/// It exists for what the compiler says of a type that is not: one error, and what to write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the wire",
    label = "this type cannot be encoded and decoded",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it and for the types inside it",
    note = "a type that borrows, such as `&str`, must become one that owns, such as `String`"
)]
pub trait SerdeValue: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> SerdeValue for T {}

/// Implements [`Encodes`] and [`EncodesArgs`] without arguments for a codec of serde types.
/// [`args`](super::args) has the tuples.
macro_rules! serde_codec {
    ($codec:ty) => {
        impl<T: SerdeValue> Encodes<T> for $codec {
            fn encode(value: &T, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError> {
                encode::<Self, T>(value, encoding, out)
            }

            fn encode_sharing(
                value: &T,
                encoding: Encoding,
                out: &mut BytesMut,
                pieces: &mut Pieces,
            ) -> Result<(), CodecError> {
                let large = [as_large_bytes(value)];
                encode_sharing::<Self, T>(value, &large, encoding, out, pieces)
            }

            fn decode(
                bytes: &Bytes,
                encoding: Encoding,
                limits: DecodeLimits,
            ) -> Result<T, CodecError> {
                check_supported::<Self>(encoding)?;
                decode(SharingSeed::<T>::new(bytes), bytes, encoding, limits)
            }
        }

        impl EncodesArgs<()> for $codec {
            fn encode_args(
                _names: &'static [&'static str],
                (): &(),
                encoding: Encoding,
                _out: &mut BytesMut,
            ) -> Result<(), CodecError> {
                check_supported::<Self>(encoding)
            }

            fn decode_args(
                _names: &'static [&'static str],
                bytes: &Bytes,
                encoding: Encoding,
                limits: DecodeLimits,
            ) -> Result<(), CodecError> {
                check_supported::<Self>(encoding)?;
                decode_no_args(bytes, encoding, limits)
            }
        }
    };
}

serde_codec!(Serde);
#[cfg(feature = "postcard")]
serde_codec!(SerdeWithPostcard);

/// Appends arguments as a map by name; under Postcard, in order.
pub(super) fn encode_args<C: Codec, A: Arguments>(
    names: &'static [&'static str],
    args: &A,
    encoding: Encoding,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    encode::<C, _>(&WriteArguments { names, args }, encoding, out)
}

/// Appends arguments, except for those that are large `Bytes`, which become `pieces`.
pub(super) fn encode_args_sharing<C: Codec, A: Arguments>(
    names: &'static [&'static str],
    args: &A,
    encoding: Encoding,
    out: &mut BytesMut,
    pieces: &mut Pieces,
) -> Result<(), CodecError> {
    args.with_large_bytes(|large| {
        encode_sharing::<C, _>(
            &WriteArguments { names, args },
            large,
            encoding,
            out,
            pieces,
        )
    })
}

/// Reads arguments from a map or an array.
pub(super) fn decode_args<C: Codec, A: Arguments>(
    names: &'static [&'static str],
    bytes: &Bytes,
    encoding: Encoding,
    limits: DecodeLimits,
) -> Result<A, CodecError> {
    check_supported::<C>(encoding)?;
    // No value of these is empty, so this is a peer that sends no arguments at all.
    if bytes.is_empty() && matches!(encoding.kind(), Kind::MessagePack | Kind::Json) {
        return A::absent(names).map_err(|error| CodecError::decode(encoding, error));
    }
    decode(ReadArguments::new(names, bytes), bytes, encoding, limits)
}

fn decode_no_args(
    bytes: &Bytes,
    encoding: Encoding,
    limits: DecodeLimits,
) -> Result<(), CodecError> {
    if bytes.is_empty() {
        return Ok(());
    }
    #[cfg(feature = "postcard")]
    if encoding == Encoding::POSTCARD {
        // Postcard does not say what its bytes are, so these can only be too many.
        return Err(CodecError::trailing(encoding, bytes.len()));
    }
    decode(ReadNoArguments, bytes, encoding, limits)
}

fn check_supported<C: Codec>(encoding: Encoding) -> Result<(), CodecError> {
    if C::supports(encoding) {
        return Ok(());
    }
    Err(CodecError::unsupported::<C>(encoding))
}

pub(crate) fn encode<C: Codec, T: Serialize>(
    value: &T,
    encoding: Encoding,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    encode_sharing::<C, T>(value, &[], encoding, out, &mut Pieces::default())
}

/// Appends a value; what of it stands in `large` becomes a piece instead of being copied.
fn encode_sharing<C: Codec, T: Serialize>(
    value: &T,
    large: &[Option<&Bytes>],
    encoding: Encoding,
    out: &mut BytesMut,
    pieces: &mut Pieces,
) -> Result<(), CodecError> {
    check_supported::<C>(encoding)?;
    let before = out.len();
    let mut appender = Appender { out, large, pieces };
    write(value, encoding.kind(), &mut appender).map_err(|error| {
        appender.out.truncate(before);
        appender.pieces.clear();
        CodecError::encode(encoding, error)
    })
}

fn write<T: Serialize>(
    value: &T,
    kind: Kind,
    out: &mut Appender<'_>,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    match kind {
        Kind::MessagePack => message_pack::encode(value, out)?,
        Kind::Json => serde_json::to_writer(out, value)?,
        #[cfg(feature = "postcard")]
        Kind::Postcard => {
            postcard::to_io(value, out)?;
        }
        #[cfg(feature = "protobuf")]
        Kind::Protobuf => return Err(NO_PROTOBUF.into()),
        Kind::Registered(index) => write_registered(AnyValue::new(value), index, out.out)?,
    }
    Ok(())
}

fn write_registered(
    value: AnyValue<'_>,
    index: u8,
    out: &mut BytesMut,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let mut bytes = Vec::new();
    format(index)?.serialize(value, &mut bytes)?;
    out.extend_from_slice(&bytes);
    Ok(())
}

fn format(index: u8) -> Result<&'static dyn Format, &'static str> {
    let entry = REGISTRY.get(index);
    entry
        .map(|entry| &*entry.format)
        .ok_or("the format is not registered")
}

/// Reads the one value that `bytes` hold. The encoding must be supported.
fn decode<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    encoding: Encoding,
    limits: DecodeLimits,
) -> Result<S::Value, CodecError> {
    match encoding.kind() {
        Kind::MessagePack => {
            message_pack::decode(seed, bytes, limits).map_err(|error| match error {
                DecodeError::Malformed(malformed) => CodecError::malformed(encoding, malformed),
                DecodeError::Unfit(error) => CodecError::decode(encoding, error),
            })
        }
        Kind::Json => {
            scan::json(bytes, limits).map_err(|error| CodecError::malformed(encoding, error))?;
            let bounds = Bounds::new(limits, bytes.len());
            read_json(seed, bytes, &bounds)
                .map_err(|error| CodecError::within(&bounds, encoding, error))
        }
        #[cfg(feature = "postcard")]
        Kind::Postcard => match read_postcard(seed, bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(CodecError::trailing(encoding, rest.len())),
            Err(error) => Err(CodecError::decode(encoding, error)),
        },
        #[cfg(feature = "protobuf")]
        Kind::Protobuf => Err(CodecError::decode(encoding, NO_PROTOBUF)),
        Kind::Registered(index) => {
            read_registered(seed, bytes, index).map_err(|error| CodecError::decode(encoding, error))
        }
    }
}

/// Reads a JSON text, whose depth has been checked.
pub(super) fn read_json<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    bounds: &Bounds,
) -> Result<S::Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = seed.deserialize(Bounded::new(&mut deserializer, bounds))?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(feature = "postcard")]
fn read_postcard<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
) -> Result<(S::Value, &'de [u8]), postcard::Error> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let value = seed.deserialize(&mut deserializer)?;
    Ok((value, deserializer.finalize()?))
}

fn read_registered<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    index: u8,
) -> Result<S::Value, Box<dyn StdError + Send + Sync>> {
    let mut seed = Some(seed);
    let mut value = None;
    let mut read = |deserializer: &mut dyn erased_serde::Deserializer<'de>| {
        if let Some(seed) = seed.take() {
            value = Some(seed.deserialize(deserializer)?);
        }
        Ok(())
    };
    format(index)?.deserialize(bytes, AnySeed::new(&mut read))?;
    value.ok_or_else(|| "the format read no value".into())
}

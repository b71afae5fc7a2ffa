//! The codec of protobuf messages: [`Protobuf`].

mod aside;
mod buffa_message;
mod output;
pub(crate) mod registered;

use buffa_types::Empty;
use bytes::{Bytes, BytesMut};

use super::encoding::Kind;
use super::shared_bytes::Pieces;
use super::{Codec, CodecError, DecodeLimits, Encodes, EncodesArgs, Encoding, scan};

pub use self::output::BinaryOutput;

/// Protobuf messages: binary, which is the default, and as the canonical JSON of protobuf.
///
/// A method takes one message, which is the whole body, and returns one; what a `.proto` file
/// declares has this form. A method without arguments takes what a `google.protobuf.Empty` would be
/// on the wire.
///
/// Unknown fields are kept, so that a message that is passed on loses nothing (JSON has no place
/// for them). Large `Bytes` fields are neither copied when they are sent nor when they are received.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use rpc_runtime::codec::{DecodeLimits, Encodes, Encoding, Protobuf};
/// use rpc_runtime::protobuf::well_known::Duration;
///
/// let mut out = BytesMut::new();
/// let duration = Duration { seconds: 1, nanos: 500_000_000, ..Duration::default() };
/// Protobuf::encode(&duration, Encoding::JSON, &mut out)?;
/// assert_eq!(&out[..], br#""1.500s""#);
///
/// let same: Duration = Protobuf::decode(&out.freeze(), Encoding::JSON, DecodeLimits::default())?;
/// assert_eq!(same, duration);
/// # Ok::<(), rpc_runtime::codec::CodecError>(())
/// ```
#[derive(Debug)]
pub enum Protobuf {}

impl Codec for Protobuf {
    const DEFAULT: Encoding = Encoding::PROTOBUF;
    const IS_BARE: bool = true;

    fn supports(encoding: Encoding) -> bool {
        matches!(encoding, Encoding::PROTOBUF | Encoding::JSON)
    }

    fn supported() -> String {
        "protobuf, json".to_owned()
    }
}

/// A protobuf message, as [`Protobuf`] writes and reads it.
///
/// The messages that `rpc-build` writes implement it, and those of `google.protobuf` in
/// [`protobuf::well_known`](crate::protobuf::well_known). Messages of another crate can implement
/// it too, as nothing else is asked of them.
///
/// # Bytes from a peer
///
/// Both `decode` functions are given whatever a peer sent. They must not panic, must bound how deep
/// they recurse and how much memory they take by `limits`, and must refuse bytes that are not of the
/// message. The nesting of JSON has been bounded when they see it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protobuf message",
    label = "under the codec `Protobuf`, a method takes and returns messages",
    note = "declare a message in a `.proto` file and let `rpc-build` compile it",
    note = "for nothing, write `rpc_runtime::protobuf::well_known::Empty`",
    note = "for types of serde, use the codec `Serde`"
)]
pub trait ProtobufMessage: Sized + 'static {
    /// Appends the message in binary form.
    ///
    /// # Errors
    ///
    /// When the message has no such form, as one of 2 GiB or more.
    fn encode_binary(&self, out: &mut BinaryOutput<'_>) -> Result<(), CodecError>;

    /// Reads a message that is all of `bytes`, of which its own `Bytes` may be slices.
    ///
    /// # Errors
    ///
    /// When `bytes` are not this message, or go past `limits`.
    fn decode_binary(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError>;

    /// Like `decode_binary`, for a message that is a part of `whole`.
    ///
    /// # Errors
    ///
    /// As for [`decode_binary`](Self::decode_binary).
    #[doc(hidden)]
    fn decode_binary_part(
        bytes: &[u8],
        whole: &Bytes,
        limits: DecodeLimits,
    ) -> Result<Self, CodecError> {
        Self::decode_binary(&whole.slice_ref(bytes), limits)
    }

    /// Appends the message as canonical JSON.
    ///
    /// # Errors
    ///
    /// When the message has no such form, as a timestamp of the year 10,000.
    fn encode_json(&self, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Reads a message from the JSON text that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When `bytes` are not this message, or go past `limits`.
    fn decode_json(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError>;
}

/// What a method can take under the codec [`Protobuf`], beside a stream: one message, or nothing.
///
/// It exists for what the compiler says of other arguments.
#[diagnostic::on_unimplemented(
    message = "under the codec `Protobuf` a method takes one message, found `{Self}`",
    label = "more than one message",
    note = "declare a message that has these values as its fields, and take that"
)]
pub trait ProtobufArguments: Sized {
    /// Appends the message.
    #[doc(hidden)]
    fn encode(&self, encoding: Encoding, out: BinaryOutput<'_>) -> Result<(), CodecError>;

    /// Reads the message.
    #[doc(hidden)]
    fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<Self, CodecError>;
}

impl<T: ProtobufMessage> ProtobufArguments for (T,) {
    fn encode(&self, encoding: Encoding, out: BinaryOutput<'_>) -> Result<(), CodecError> {
        encode(&self.0, encoding, out)
    }

    fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<Self, CodecError> {
        decode(bytes, encoding, limits).map(|message| (message,))
    }
}

/// Nothing is what an empty message is.
impl ProtobufArguments for () {
    fn encode(&self, encoding: Encoding, out: BinaryOutput<'_>) -> Result<(), CodecError> {
        encode(&Empty::default(), encoding, out)
    }

    fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<Self, CodecError> {
        // What a caller without arguments sends in any encoding.
        if bytes.is_empty() {
            return check_supported(encoding);
        }
        decode::<Empty>(bytes, encoding, limits).map(|_| ())
    }
}

impl<T: ProtobufMessage> Encodes<T> for Protobuf {
    fn encode(message: &T, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError> {
        encode(message, encoding, BinaryOutput::copying(out))
    }

    fn encode_sharing(
        message: &T,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        encode(message, encoding, BinaryOutput::sharing(out, pieces))
    }

    fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<T, CodecError> {
        decode(bytes, encoding, limits)
    }

    fn decode_part(
        bytes: &[u8],
        whole: &Bytes,
        encoding: Encoding,
        limits: DecodeLimits,
    ) -> Result<T, CodecError> {
        if encoding == Encoding::PROTOBUF {
            T::decode_binary_part(bytes, whole, limits)
        } else {
            decode(&whole.slice_ref(bytes), encoding, limits)
        }
    }
}

impl<A: ProtobufArguments> EncodesArgs<A> for Protobuf {
    fn encode_args(
        _names: &'static [&'static str],
        args: &A,
        encoding: Encoding,
        out: &mut BytesMut,
    ) -> Result<(), CodecError> {
        args.encode(encoding, BinaryOutput::copying(out))
    }

    fn encode_args_sharing(
        _names: &'static [&'static str],
        args: &A,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        args.encode(encoding, BinaryOutput::sharing(out, pieces))
    }

    fn decode_args(
        _names: &'static [&'static str],
        bytes: &Bytes,
        encoding: Encoding,
        limits: DecodeLimits,
    ) -> Result<A, CodecError> {
        A::decode(bytes, encoding, limits)
    }
}

fn check_supported(encoding: Encoding) -> Result<(), CodecError> {
    if Protobuf::supports(encoding) {
        return Ok(());
    }
    Err(CodecError::unsupported::<Protobuf>(encoding))
}

fn encode<T: ProtobufMessage>(
    message: &T,
    encoding: Encoding,
    mut out: BinaryOutput<'_>,
) -> Result<(), CodecError> {
    check_supported(encoding)?;
    let before = out.buffer().len();
    let encoded = match encoding.kind() {
        Kind::Json => message.encode_json(out.buffer()),
        _ => message.encode_binary(&mut out),
    };
    encoded.inspect_err(|_| out.take_back(before))
}

fn decode<T: ProtobufMessage>(
    bytes: &Bytes,
    encoding: Encoding,
    limits: DecodeLimits,
) -> Result<T, CodecError> {
    check_supported(encoding)?;
    match encoding.kind() {
        Kind::Json => {
            scan::json(bytes, limits).map_err(|error| CodecError::malformed(encoding, error))?;
            T::decode_json(bytes, limits)
        }
        _ => T::decode_binary(bytes, limits),
    }
}

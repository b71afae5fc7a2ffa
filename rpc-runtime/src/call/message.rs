//! One message: bytes in some encoding, or a value that was not encoded yet.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use serde::Serialize;

use super::batch::Batch;
use crate::codec::{
    Codec, CodecError, DecodeLimits, Encodes, EncodesArgs, Encoding, Pieces, Serde, encode_serde,
};
use crate::status::{Phase, Status};

/// The room that an encoded message has before it grows: that of most.
const USUAL: usize = 256;

/// One message of a body.
///
/// A message that came over a wire is bytes in an [`Encoding`]. A message that a stub or a handler
/// made is the value itself: a wire encodes it straight into what it sends, and a service in the
/// same process takes it as it is, without any encoding.
pub struct Message {
    repr: Repr,
    /// Whether it is to go out compressed, if somebody has said so.
    compressed: Option<bool>,
    /// How many messages of the stream were left out before this one.
    skipped: u32,
}

enum Repr {
    Encoded {
        bytes: Bytes,
        encoding: Encoding,
        limits: DecodeLimits,
        came_compressed: bool,
    },
    /// The mutex makes the message `Sync`; it is only ever entered through `get_mut`.
    Typed(Mutex<Box<dyn TypedMessage>>),
    /// A value that may be needed again.
    Shared(Arc<Mutex<Box<dyn TypedMessage>>>),
}

trait TypedMessage: Any + Send {
    fn encode(&self, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Encodes, but for large `Bytes`, which become pieces.
    fn encode_sharing(
        &self,
        encoding: Encoding,
        out: &mut BytesMut,
        _pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        self.encode(encoding, out)
    }
}

impl Message {
    /// Makes a message of bytes that are encoded already.
    pub fn encoded(bytes: Bytes, encoding: Encoding) -> Self {
        Self::with_limits(bytes, encoding, DecodeLimits::default())
    }

    pub(crate) fn with_limits(bytes: Bytes, encoding: Encoding, limits: DecodeLimits) -> Self {
        Self::of(Repr::Encoded {
            bytes,
            encoding,
            limits,
            came_compressed: false,
        })
    }

    fn of(repr: Repr) -> Self {
        Self {
            repr,
            compressed: None,
            skipped: 0,
        }
    }

    fn typed(value: impl TypedMessage) -> Self {
        Self::of(Repr::Typed(Mutex::new(Box::new(value))))
    }

    /// Says whether this message goes out compressed, where its wire compresses one by one: in gRPC,
    /// gRPC-Web and Connect. One of less than 256 bytes never is.
    ///
    /// In a stream the headers before it must have named the compression: the call asked for it
    /// ([`Call::compressed`](crate::Call::compressed)), or the response said either
    /// ([`Response::set_compressed`](super::Response::set_compressed)).
    #[must_use]
    pub fn compressed(mut self, is_compressed: bool) -> Self {
        self.compressed = Some(is_compressed);
        self
    }

    /// Notes that so many messages of the stream were left out before this one.
    pub(crate) fn behind_skipped(mut self, skipped: u32) -> Self {
        self.skipped = skipped;
        self
    }

    /// Returns how many messages of its stream were left out before this one, because their reader was
    /// slow: see [`SlowReader`](super::SlowReader).
    pub fn skipped(&self) -> u32 {
        self.skipped
    }

    #[cfg(feature = "http")]
    pub(crate) fn is_compressed(&self) -> Option<bool> {
        self.compressed
    }

    /// Returns whether this message came over a wire and was compressed there.
    pub fn came_compressed(&self) -> bool {
        matches!(self.repr, Repr::Encoded { came_compressed, .. } if came_compressed)
    }

    #[cfg(feature = "http")]
    pub(crate) fn note_compressed(&mut self, is_compressed: bool) {
        if let Repr::Encoded {
            came_compressed, ..
        } = &mut self.repr
        {
            *came_compressed = is_compressed;
        }
    }

    /// Returns the bytes, encoding the value first if that has not happened.
    ///
    /// The encoding is that of the request that the message belongs to; bytes that are encoded
    /// already stay as they are.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`](crate::Code::Internal) if the value cannot be encoded.
    pub fn bytes(&mut self, encoding: Encoding) -> Result<Bytes, Status> {
        if let Repr::Encoded { bytes, .. } = &self.repr {
            return Ok(bytes.clone());
        }
        let mut out = BytesMut::with_capacity(USUAL);
        match &mut self.repr {
            Repr::Encoded { .. } => {}
            Repr::Typed(value) => {
                let value = value.get_mut().unwrap_or_else(PoisonError::into_inner);
                guarded(encoding, || value.encode(encoding, &mut out))?;
            }
            Repr::Shared(value) => {
                let value = lock(value);
                guarded(encoding, || value.encode(encoding, &mut out))?;
            }
        }
        let bytes = out.freeze();
        self.repr = Self::encoded(bytes.clone(), encoding).repr;
        Ok(bytes)
    }

    /// Appends the message to `out`, but for large `Bytes` of the value, which become `pieces`.
    /// Bytes that are encoded already are copied.
    pub(crate) fn encode_into(
        &mut self,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), Status> {
        match &mut self.repr {
            Repr::Encoded { bytes, .. } => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Repr::Typed(value) => {
                let value = value.get_mut().unwrap_or_else(PoisonError::into_inner);
                guarded(encoding, || value.encode_sharing(encoding, out, pieces))
            }
            Repr::Shared(value) => {
                let value = lock(value);
                guarded(encoding, || value.encode_sharing(encoding, out, pieces))
            }
        }
    }

    /// Returns the same message once more. A value stays one, and is encoded wherever it goes.
    pub(crate) fn share(&mut self) -> Self {
        let empty = Self::encoded(Bytes::new(), Encoding::MESSAGE_PACK).repr;
        let copy = match std::mem::replace(&mut self.repr, empty) {
            Repr::Encoded {
                bytes,
                encoding,
                limits,
                ..
            } => {
                self.repr = Self::with_limits(bytes.clone(), encoding, limits).repr;
                Self::with_limits(bytes, encoding, limits).repr
            }
            Repr::Typed(value) => self.shared(Arc::new(value)),
            Repr::Shared(value) => self.shared(value),
        };
        Self {
            repr: copy,
            compressed: self.compressed,
            skipped: self.skipped,
        }
    }

    fn shared(&mut self, value: Arc<Mutex<Box<dyn TypedMessage>>>) -> Repr {
        self.repr = Repr::Shared(Arc::clone(&value));
        Repr::Shared(value)
    }

    /// Returns the bytes of a message that is encoded already.
    pub(crate) fn as_bytes(&self) -> Option<&Bytes> {
        match &self.repr {
            Repr::Encoded { bytes, .. } => Some(bytes),
            Repr::Typed(_) | Repr::Shared(_) => None,
        }
    }

    /// Takes the value out if it is a `T` that was never encoded.
    fn downcast<T: TypedMessage>(self) -> Result<T, Self> {
        match self.repr {
            Repr::Typed(mutex) => {
                let value = mutex.into_inner().unwrap_or_else(PoisonError::into_inner);
                if (&*value as &dyn Any).is::<T>() {
                    let any: Box<dyn Any> = value;
                    // The type was compared in the line above.
                    return Ok(*any.downcast::<T>().expect("the type was just compared"));
                }
                Err(Self::of(Repr::Typed(Mutex::new(value))))
            }
            other => Err(Self::of(other)),
        }
    }

    fn into_encoded(
        mut self,
        encoding: Encoding,
    ) -> Result<(Bytes, Encoding, DecodeLimits), Status> {
        if self.as_bytes().is_none()
            && let Err(status) = self.bytes(encoding)
        {
            // In process, of a caller by name, who has another codec: what all of them have is JSON.
            self.bytes(Encoding::JSON).map_err(|_| status)?;
        }
        match self.repr {
            Repr::Encoded {
                bytes,
                encoding,
                limits,
                ..
            } => Ok((bytes, encoding, limits)),
            Repr::Typed(_) | Repr::Shared(_) => {
                Err(Status::internal("a message did not become bytes"))
            }
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Encoded {
                bytes, encoding, ..
            } => write!(f, "Message({} bytes of {encoding})", bytes.len()),
            Repr::Typed(_) | Repr::Shared(_) => f.write_str("Message(not encoded)"),
        }
    }
}

fn lock(value: &Mutex<Box<dyn TypedMessage>>) -> MutexGuard<'_, Box<dyn TypedMessage>> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value under a codec: a result, an item of a stream, a bare argument, an error.
#[doc(hidden)]
pub struct ValueMessage<C, T> {
    value: T,
    codec: PhantomData<fn() -> C>,
}

impl<C: Encodes<T>, T: Send + 'static> TypedMessage for ValueMessage<C, T> {
    fn encode(&self, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError> {
        C::encode(&self.value, encoding, out)
    }

    fn encode_sharing(
        &self,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        C::encode_sharing(&self.value, encoding, out, pieces)
    }
}

impl<C: Encodes<T>, T: Send + 'static> ValueMessage<C, T> {
    pub(crate) fn wrap(value: T) -> Message {
        Self::of(value).into_message()
    }

    pub(crate) fn of(value: T) -> Self {
        Self {
            value,
            codec: PhantomData,
        }
    }

    /// Appends a value as [`Message::encode_into`] would its message; `out` may be longer after an
    /// error.
    pub(crate) fn encode(
        value: &T,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), Status> {
        guarded(encoding, || C::encode_sharing(value, encoding, out, pieces))
    }

    /// Takes or decodes the value. `encoding` counts only for a value of another type.
    pub(crate) fn unwrap(message: Message) -> Result<T, Status> {
        // Most came over a wire, and are not moved about.
        if let Repr::Encoded {
            bytes,
            encoding,
            limits,
            ..
        } = &message.repr
        {
            return C::decode(bytes, *encoding, *limits).map_err(decode_status);
        }
        match message.downcast::<Self>() {
            Ok(message) => Ok(message.value),
            Err(message) => {
                let (bytes, encoding, limits) = message.into_encoded(C::DEFAULT)?;
                C::decode(&bytes, encoding, limits).map_err(decode_status)
            }
        }
    }
}

impl<C, T> fmt::Debug for ValueMessage<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueMessage")
    }
}

/// What becomes a message where one is needed, and only bytes where those are: a value that is
/// encoded where it stands needs no memory of its own.
#[doc(hidden)]
pub trait IntoMessage: Send {
    /// Makes a message of it.
    fn into_message(self) -> Message;

    /// Encodes it as the next message of a batch.
    fn put_into(self, batch: &mut Batch);
}

impl<C: Encodes<T>, T: Send + 'static> IntoMessage for ValueMessage<C, T> {
    fn into_message(self) -> Message {
        Message::typed(self)
    }

    fn put_into(self, batch: &mut Batch) {
        batch.put::<C, T>(self.value);
    }
}

impl IntoMessage for Message {
    fn into_message(self) -> Message {
        self
    }

    fn put_into(self, batch: &mut Batch) {
        batch.put_message(self);
    }
}

/// The arguments of a method, with their names.
pub(crate) struct ArgsMessage<C, A> {
    names: &'static [&'static str],
    args: A,
    codec: PhantomData<fn() -> C>,
}

impl<C: EncodesArgs<A>, A: Send + 'static> TypedMessage for ArgsMessage<C, A> {
    fn encode(&self, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError> {
        C::encode_args(self.names, &self.args, encoding, out)
    }

    fn encode_sharing(
        &self,
        encoding: Encoding,
        out: &mut BytesMut,
        pieces: &mut Pieces,
    ) -> Result<(), CodecError> {
        C::encode_args_sharing(self.names, &self.args, encoding, out, pieces)
    }
}

impl<C: EncodesArgs<A>, A: Send + 'static> ArgsMessage<C, A> {
    pub(crate) fn wrap(names: &'static [&'static str], args: A) -> Message {
        Message::typed(Self {
            names,
            args,
            codec: PhantomData,
        })
    }

    pub(crate) fn unwrap(names: &'static [&'static str], message: Message) -> Result<A, Status> {
        match message.downcast::<Self>() {
            Ok(message) => Ok(message.args),
            Err(message) => {
                let (bytes, encoding, limits) = message.into_encoded(C::DEFAULT)?;
                C::decode_args(names, &bytes, encoding, limits).map_err(decode_status)
            }
        }
    }
}

/// Arguments of a call by name, which are only ever written.
pub(crate) struct DynamicArgs<A>(A);

impl<A: Serialize + Send + 'static> TypedMessage for DynamicArgs<A> {
    fn encode(&self, encoding: Encoding, out: &mut BytesMut) -> Result<(), CodecError> {
        encode_serde::<Serde, A>(&self.0, encoding, out)
    }
}

impl<A: Serialize + Send + 'static> DynamicArgs<A> {
    pub(crate) fn wrap(args: A) -> Message {
        Message::typed(Self(args))
    }
}

/// A method's own error inside a [`Status`]; shared because statuses are cloned.
pub(crate) struct ErrorBody(Mutex<Option<Message>>);

impl ErrorBody {
    pub(crate) fn new(message: Message) -> Self {
        Self(Mutex::new(Some(message)))
    }

    pub(crate) fn take(&self) -> Option<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the encoded error and keeps it, because a status may be sent more than once.
    pub(crate) fn bytes(&self, encoding: Encoding) -> Option<Result<Bytes, Status>> {
        let mut message = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(message.as_mut()?.bytes(encoding))
    }

    /// Returns the encoded error once more, for somebody else who takes it out.
    pub(crate) fn copy(&self, encoding: Encoding) -> Option<Result<Message, Status>> {
        let mut message = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let message = message.as_mut()?;
        Some(message.bytes(encoding).map(|_| message.share()))
    }
}

/// Encodes a value whose `Serialize` may be the user's own: one that panics fails its call, and not
/// the task that writes for all calls.
fn guarded(
    encoding: Encoding,
    encode: impl FnOnce() -> Result<(), CodecError>,
) -> Result<(), Status> {
    let encoded = catch_unwind(AssertUnwindSafe(encode));
    encoded
        .unwrap_or_else(|_| {
            tracing::error!("a value panicked while it was encoded");
            Err(CodecError::encode(encoding, "the value panicked"))
        })
        .map_err(encode_status)
}

fn encode_status(error: CodecError) -> Status {
    let status = if error.is_unsupported() {
        Status::unimplemented(error.to_string())
    } else {
        Status::internal("a value cannot be encoded").with_source(error)
    };
    status.in_phase(Phase::Send)
}

/// A message that cannot be read. On a server this is the caller's mistake.
pub(super) fn decode_status(error: CodecError) -> Status {
    let status = if error.is_unsupported() {
        Status::unimplemented(error.to_string())
    } else if error.is_too_large() {
        Status::resource_exhausted(error.to_string())
    } else {
        Status::invalid_argument(error.to_string())
    };
    status.with_source(error).in_phase(Phase::Decode)
}

/// Refuses an encoding that a service's codec does not have, before anything is decoded.
pub(crate) fn check_encoding<C: Codec>(encoding: Encoding) -> Result<(), Status> {
    if C::supports(encoding) {
        return Ok(());
    }
    Err(Status::unimplemented(format!(
        "this service does not accept the encoding `{encoding}`, it has: {}",
        C::supported()
    )))
}

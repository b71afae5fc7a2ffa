//! What a generated client is made of.

use std::fmt;
use std::marker::PhantomData;

use super::call::{Call, FallibleCall};
use super::channel::Channel;
use super::decode::Decode;
use super::outgoing::OutgoingCall;
use super::response_stream::{FallibleStream, ResponseStream};
use super::upload;
use crate::call::{
    ArgsMessage, Body, IntoStreaming, Message, MethodError, MethodHandle, Returns,
    ServiceDescriptor, ValueMessage,
};
use crate::codec::{Codec, Encodes, EncodesArgs};
use crate::status::Status;

/// What every generated client has, for code that is generic over clients.
pub trait RpcClient: Clone + Send + Sync + 'static {
    /// The description of the service.
    const SERVICE: &'static ServiceDescriptor;

    /// Makes a client that calls through a channel.
    fn from_channel(channel: Channel) -> Self;
}

/// The inside of a generated client: a channel and a codec.
#[doc(hidden)]
pub struct Client<C> {
    channel: Channel,
    codec: PhantomData<fn() -> C>,
}

impl<C> Client<C> {
    /// Makes the inside of a client.
    pub fn new(channel: Channel) -> Self {
        Self {
            channel,
            codec: PhantomData,
        }
    }
}

impl<C: Codec> Client<C> {
    /// Begins a call with arguments by name.
    pub fn call<A>(&self, method: MethodHandle, args: A) -> StubCall<C>
    where
        A: Send + 'static,
        C: EncodesArgs<A>,
    {
        let names = method.descriptor().args();
        // Arguments beside a stream are its first message; a stream without any has none.
        let first = (!names.is_empty() || !method.descriptor().kind().is_upload())
            .then(|| ArgsMessage::<C, A>::wrap(names, args));
        self.begin(method, first)
    }

    /// Begins a call whose one argument is the whole message.
    pub fn call_bare<T>(&self, method: MethodHandle, argument: T) -> StubCall<C>
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        self.begin(method, Some(ValueMessage::<C, T>::wrap(argument)))
    }

    fn begin(&self, method: MethodHandle, first: Option<Message>) -> StubCall<C> {
        StubCall {
            call: OutgoingCall::new::<C>(self.channel.clone(), method),
            first,
            codec: PhantomData,
        }
    }
}

impl<C> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            codec: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.fmt(f)
    }
}

/// A call whose arguments are known and whose kind of answer is not.
#[doc(hidden)]
pub struct StubCall<C> {
    call: Box<OutgoingCall>,
    first: Option<Message>,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> StubCall<C> {
    /// Adds the stream of a method that takes one.
    pub fn upload<T>(mut self, stream: impl IntoStreaming<T>) -> Self
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        let body = upload::body::<C, T>(self.first.take(), stream.into_streaming());
        self.call.request_mut().set_body(body);
        self
    }

    fn into_call(mut self) -> Box<OutgoingCall> {
        if let Some(message) = self.first {
            self.call.request_mut().set_body(Body::message(message));
        }
        self.call
    }

    /// Expects one value.
    pub fn unary<T>(self) -> Call<T>
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        Call::new(self.into_call(), ValueMessage::<C, T>::unwrap, |it| it)
    }

    /// Expects one value or the method's own error.
    pub fn fallible<R>(self) -> FallibleCall<R, C>
    where
        R: Returns<Ok: Send + 'static, Err: MethodError<C>>,
        C: Encodes<R::Ok>,
    {
        let fail: fn(Status) -> _ = <R::Err as MethodError<C>>::from_status;
        Call::new(self.into_call(), ValueMessage::<C, R::Ok>::unwrap, fail)
    }

    /// Expects a stream.
    pub fn stream<T>(self) -> ResponseStream<T>
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        ResponseStream::new(self.into_call(), Decode::of::<C>(), |it| it)
    }

    /// Expects a stream that can end in the method's own error.
    pub fn fallible_stream<R>(self) -> FallibleStream<R, C>
    where
        R: Returns<Ok: Send + 'static, Err: MethodError<C>>,
        C: Encodes<R::Ok>,
    {
        let fail: fn(Status) -> _ = <R::Err as MethodError<C>>::from_status;
        ResponseStream::new(self.into_call(), Decode::of::<C>(), fail)
    }
}

impl<C> fmt::Debug for StubCall<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StubCall")
    }
}

//! A call that is answered by one message.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use super::blocking;
use super::outgoing::{Origin, OutgoingCall, Running, Watch, name_peer};
use super::reply_call::ReplyCall;
use super::spawned::Spawned;
use crate::call::{
    Body, BodyFrame, IntoMetadataValue, Message, Metadata, MethodError, Peer, Reply, Response,
    Returns,
};
use crate::codec::Encoding;
use crate::layer::Retry;
use crate::status::{Phase, Status};

/// A call that is answered by one value. Await it.
///
/// Nothing happens before the first poll (or [`start`](Self::start)). Dropping the future after
/// that cancels the call at the server. Without [`timeout`](Self::timeout) the call has the
/// method's own timeout, or the channel's, or 30 seconds; inside a handler never more than the
/// handler has left.
///
/// # Errors
///
/// The call fails with `X`: [`Status`], or [`CallError`](crate::CallError) where the method has an
/// error type of its own.
#[must_use = "a call does nothing unless it is awaited or started"]
pub struct Call<T, X = Status> {
    outgoing: Box<OutgoingCall>,
    decode: fn(Message) -> Result<T, Status>,
    fail: fn(Status) -> X,
}

/// The call of a method that returns `R`, a `Result` or an alias of one.
pub type FallibleCall<R, C = crate::codec::Serde> =
    Call<<R as Returns>::Ok, <<R as Returns>::Err as MethodError<C>>::CallError>;

impl<T, X> Call<T, X> {
    pub(super) fn new(
        outgoing: Box<OutgoingCall>,
        decode: fn(Message) -> Result<T, Status>,
        fail: fn(Status) -> X,
    ) -> Self {
        Self {
            outgoing,
            decode,
            fail,
        }
    }

    /// Bounds the whole call, from its first poll to its end.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.outgoing.set_timeout(timeout);
        self
    }

    /// Adds metadata to the request: a name, such as a `&str` or a [`HeaderName`], and a value, such
    /// as a text, a number or a [`HeaderValue`]. What HTTP would not allow fails the call with
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument).
    ///
    /// [`HeaderName`]: http::HeaderName
    /// [`HeaderValue`]: http::HeaderValue
    pub fn metadata(mut self, name: impl AsRef<str>, value: impl IntoMetadataValue) -> Self {
        self.outgoing
            .add_metadata(name.as_ref(), value.into_value());
        self
    }

    /// Chooses the encoding of the messages, both ways.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.outgoing.set_encoding(encoding);
        self
    }

    /// Says whether the messages that are sent are compressed, instead of what
    /// [`Connect::compress_requests`](crate::client::Connect::compress_requests) says.
    #[cfg(feature = "http")]
    pub fn compressed(mut self, is_compressed: bool) -> Self {
        self.outgoing.set_compressed(is_compressed);
        self
    }

    /// Makes the call again as `retry` says, and not as that of the channel does, if it has one.
    ///
    /// A [`Retry`] that is made for one call has a budget for one call: clone one that is there, or
    /// [share](Retry::budget) its budget.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.outgoing.set_retry(retry);
        self
    }

    /// Asks for the metadata around the value as well: the call gives a [`Reply`].
    ///
    /// Like the call itself, what is returned is awaited, started, waited for, or part of a batch.
    pub fn with_reply(self) -> ReplyCall<T, X> {
        ReplyCall::new(self)
    }

    /// Makes the failure of a call that is not made.
    pub(super) fn fail_with(&self, status: Status) -> X {
        (self.fail)(self.outgoing.origin().name(status))
    }

    /// Begins the call now, in a task of its own; the future that is returned gives its result.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(self) -> CallFuture<T, X> {
        let mut future = self.into_future();
        future.exchange.spawn();
        future
    }

    /// Makes the call and blocks the thread until it has ended, for programs without a runtime.
    ///
    /// # Errors
    ///
    /// As for awaiting, and [`Code::FailedPrecondition`](crate::Code::FailedPrecondition) on every
    /// thread of a tokio runtime but that of a blocking method, because in asynchronous code it
    /// would stall the runtime. On a thread of `spawn_blocking`, use `Handle::block_on`.
    pub fn wait(self) -> Result<T, X> {
        self.wait_reply().map(|reply| reply.value)
    }

    pub(super) fn wait_reply(self) -> Result<Reply<T>, X> {
        let CallFuture {
            exchange,
            decode,
            fail,
        } = self.into_future();
        let origin = exchange.origin.clone();
        let exchanged = blocking::block_on(exchange).and_then(|it| it);
        let reply = exchanged.and_then(|it| it.decode(&origin, decode));
        reply.map_err(fail)
    }
}

impl<T, X> IntoFuture for Call<T, X> {
    type Output = Result<T, X>;
    type IntoFuture = CallFuture<T, X>;

    fn into_future(self) -> Self::IntoFuture {
        CallFuture {
            exchange: Exchange::new(self.outgoing),
            decode: self.decode,
            fail: self.fail,
        }
    }
}

impl<T, X> fmt::Debug for Call<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(self.outgoing.method()).finish()
    }
}

/// The future of a [`Call`]. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<T, X = Status> {
    exchange: Exchange,
    decode: fn(Message) -> Result<T, Status>,
    fail: fn(Status) -> X,
}

impl<T, X> CallFuture<T, X> {
    pub(super) fn poll_reply(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Reply<T>, X>> {
        let exchanged = ready!(Pin::new(&mut self.exchange).poll(cx));
        let reply = exchanged.and_then(|it| it.decode(&self.exchange.origin, self.decode));
        Poll::Ready(reply.map_err(self.fail))
    }
}

impl<T, X> Future for CallFuture<T, X> {
    type Output = Result<T, X>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.poll_reply(cx).map_ok(|reply| reply.value)
    }
}

impl<T, X> fmt::Debug for CallFuture<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallFuture")
            .field(&self.exchange.origin.method)
            .finish()
    }
}

/// One request and one message back, whatever their types.
struct Exchange {
    origin: Origin,
    state: State,
}

enum State {
    Ready(Box<OutgoingCall>),
    Calling(Running),
    Reading(Box<Reading>),
    Spawned(Spawned<Result<Exchanged, Status>>),
    Ended,
}

struct Reading {
    peer: Option<Arc<dyn Peer>>,
    body: Body,
    watch: Watch,
    message: Option<Message>,
    metadata: Metadata,
    trailers: Metadata,
}

struct Exchanged {
    peer: Option<Arc<dyn Peer>>,
    message: Message,
    metadata: Metadata,
    trailers: Metadata,
}

impl Exchanged {
    /// Reads the message. One that cannot be read is the server's mistake, not the caller's.
    fn decode<T>(
        self,
        origin: &Origin,
        decode: fn(Message) -> Result<T, Status>,
    ) -> Result<Reply<T>, Status> {
        let value = decode(self.message).map_err(|cause| {
            let status = Status::internal("the reply cannot be read").with_source(cause);
            origin.name(name_peer(
                status.in_phase(Phase::Decode),
                self.peer.as_ref(),
            ))
        })?;
        Ok(Reply::new(value, self.metadata, self.trailers))
    }
}

impl Exchange {
    fn new(outgoing: Box<OutgoingCall>) -> Self {
        Self {
            origin: outgoing.origin(),
            state: State::Ready(outgoing),
        }
    }

    fn spawn(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let exchange = Self {
            origin: self.origin.clone(),
            state,
        };
        self.state = State::Spawned(Spawned::new(exchange));
    }

    fn poll_exchange(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Exchanged, Status>> {
        loop {
            match &mut self.state {
                State::Ready(_) => {
                    if let State::Ready(outgoing) = std::mem::replace(&mut self.state, State::Ended)
                    {
                        self.state = State::Calling(outgoing.begin()?);
                    }
                }
                State::Calling(running) => {
                    let (response, watch) = ready!(running.poll_response(cx))?;
                    match whole(response) {
                        Ok(exchanged) => return Poll::Ready(Ok(exchanged)),
                        Err(response) => {
                            self.state = State::Reading(Box::new(Reading::new(response, watch)));
                        }
                    }
                }
                State::Reading(reading) => {
                    let polled = reading.poll(cx);
                    let peer = reading.peer.as_ref();
                    return polled.map_err(|status| name_peer(status, peer));
                }
                State::Spawned(task) => {
                    let joined = ready!(Pin::new(task).poll(cx));
                    return Poll::Ready(joined.unwrap_or_else(|error| {
                        Err(Status::internal("the task of the call failed").with_source(error))
                    }));
                }
                State::Ended => {
                    return Poll::Ready(Err(Status::internal("a call was polled after its end")));
                }
            }
        }
    }
}

impl Future for Exchange {
    type Output = Result<Exchanged, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let result = ready!(self.poll_exchange(cx));
        self.state = State::Ended;
        Poll::Ready(result.map_err(|status| self.origin.name(status)))
    }
}

/// Returns what a response holds whose body is one message, as nearly all are.
#[allow(
    clippy::result_large_err,
    reason = "nothing failed: the response comes back"
)]
fn whole(mut response: Response) -> Result<Exchanged, Response> {
    let Some(message) = response.body_mut().take_single() else {
        return Err(response);
    };
    Ok(Exchanged {
        peer: response.take_peer(),
        message,
        metadata: response.take_metadata(),
        trailers: response.take_trailers(),
    })
}

impl Reading {
    fn new(mut response: Response, watch: Watch) -> Self {
        Self {
            metadata: response.take_metadata(),
            trailers: response.take_trailers(),
            peer: response.take_peer(),
            body: response.take_body(),
            watch,
            message: None,
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Exchanged, Status>> {
        loop {
            let Poll::Ready(frame) = self.body.poll_frame(cx) else {
                return self.watch.poll_expired(cx).map(Err);
            };
            match frame.transpose()? {
                Some(BodyFrame::Message(message)) => {
                    if self.message.replace(message).is_some() {
                        return Poll::Ready(Err(unexpected("more than one message")));
                    }
                }
                Some(BodyFrame::Trailers(trailers)) => self.trailers = trailers.into(),
                None => return Poll::Ready(self.finish()),
            }
        }
    }

    fn finish(&mut self) -> Result<Exchanged, Status> {
        let message = self
            .message
            .take()
            .ok_or_else(|| unexpected("no message"))?;
        Ok(Exchanged {
            peer: self.peer.clone(),
            message,
            metadata: self.metadata.take(),
            trailers: self.trailers.take(),
        })
    }
}

fn unexpected(what: &str) -> Status {
    Status::internal(format!(
        "the server answered with {what} where one was expected"
    ))
    .in_phase(Phase::Decode)
}

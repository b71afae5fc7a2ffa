//! A stream of typed messages, as a parameter of a method.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use super::body::{Body, BodyFrame};
use super::message::Message;
use crate::status::Status;

/// The messages that a caller streams to a method: `numbers: Streaming<i64>`.
///
/// It yields `Result<T, Status>`. The end (`None`) means that the caller ended its stream; a
/// caller that gave up, broke down or went away is an `Err`, never an end. After such an `Err` or
/// the end it yields `None`. A message that cannot be read is an `Err` too, with
/// [`Code::InvalidArgument`](crate::Code::InvalidArgument) or
/// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), and the messages behind it follow.
///
/// On the client every stream of `T` is accepted where a method takes `Streaming<T>`;
/// [`try_from_stream`](Self::try_from_stream) makes one of a stream that can fail.
pub struct Streaming<T>(Source<T>);

enum Source<T> {
    Body {
        body: Body,
        decode: fn(Message) -> Result<T, Status>,
    },
    Local(Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>),
    Ended,
}

// The parts are boxed or owned; nothing in here is pinned in place.
impl<T> Unpin for Streaming<T> {}

impl<T> Streaming<T> {
    /// Makes a stream that reads the messages of a body.
    pub(crate) fn reading(body: Body, decode: fn(Message) -> Result<T, Status>) -> Self {
        Self(Source::Body { body, decode })
    }

    /// Makes a stream of one that can fail. An `Err` cancels the call with that status, so the
    /// server never takes it for the end.
    pub fn try_from_stream(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        Self(Source::Local(Box::pin(stream)))
    }

    /// Returns the next message; `None` at the end.
    ///
    /// # Errors
    ///
    /// The status that the caller's stream ended with, or the reason why it broke off.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T, Status>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T, Status>>> {
        let polled = match &mut self.0 {
            Source::Ended => return Poll::Ready(None),
            Source::Local(stream) => stream.as_mut().poll_next(cx),
            Source::Body { body, decode } => loop {
                match std::task::ready!(body.poll_frame(cx)) {
                    None => break Poll::Ready(None),
                    Some(Err(status)) => break Poll::Ready(Some(Err(status))),
                    // A message that cannot be read fails itself; the ones behind it are whole.
                    Some(Ok(BodyFrame::Message(message))) => {
                        return Poll::Ready(Some(decode(message)));
                    }
                    Some(Ok(BodyFrame::Trailers(_))) => {}
                }
            },
        };
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = Source::Ended;
        }
        polled
    }
}

impl<T> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streaming")
    }
}

/// What a client can pass where a method takes [`Streaming<T>`]: any stream of `T`, or a
/// [`Streaming<T>`] itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream of `{T}`",
    note = "pass a `Stream<Item = {T}>` that is `Send + 'static`, such as \
            `futures_util::stream::iter(items)`; for a stream of results use \
            `Streaming::try_from_stream`"
)]
pub trait IntoStreaming<T> {
    /// Makes the stream.
    fn into_streaming(self) -> Streaming<T>;
}

impl<T, S> IntoStreaming<T> for S
where
    S: Stream<Item = T> + Send + 'static,
{
    fn into_streaming(self) -> Streaming<T> {
        Streaming(Source::Local(Box::pin(Infallible { stream: self })))
    }
}

impl<T> IntoStreaming<T> for Streaming<T> {
    fn into_streaming(self) -> Self {
        self
    }
}

pin_project_lite::pin_project! {
    /// A stream that cannot fail, as one that could.
    struct Infallible<S> {
        #[pin]
        stream: S,
    }
}

impl<S: Stream> Stream for Infallible<S> {
    type Item = Result<S::Item, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.project().stream.poll_next(cx).map(|item| item.map(Ok))
    }
}

//! The messages of one direction of a call.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use http::HeaderMap;

use super::batch::{Batch, Filled};
use super::message::Message;
use super::run::Run;
use crate::status::Status;

/// The messages of one direction of a call: none, one, or a stream.
///
/// A stream body ends well only by running out; a failure on the way is an `Err`, after which it
/// yields nothing more. Dropping a body gives up what it had left.
pub struct Body {
    kind: Kind,
    has_head: bool,
    /// Dropped when the body ends: see [`Response::on_end`](super::Response::on_end).
    guards: Vec<Mutex<Box<dyn Any + Send>>>,
}

enum Kind {
    Empty,
    Message(Message),
    /// The mutex makes the body `Sync`; it is only ever entered through `get_mut`.
    Stream(Mutex<BoxFrames>),
}

type BoxFrames = Pin<Box<dyn Frames + Send>>;

/// A stream of frames that a wire may also ask for many encoded messages at once.
pub(crate) trait Frames: Stream<Item = Result<BodyFrame, Status>> {
    /// Adds messages to a batch as long as it takes more and there are any.
    fn poll_batch(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        while !batch.is_full() {
            match self.as_mut().poll_next(cx) {
                Poll::Pending => return Filled::Waiting,
                Poll::Ready(None) => return Filled::Ended(HeaderMap::new()),
                Poll::Ready(Some(Ok(BodyFrame::Message(message)))) => batch.put_message(message),
                Poll::Ready(Some(Ok(BodyFrame::Trailers(it)))) => return Filled::Ended(it),
                Poll::Ready(Some(Err(status))) => return Filled::Failed(status),
            }
        }
        Filled::Full
    }

    /// Takes out what came behind the last message and nothing holds back, if that is more than nothing.
    fn take_run(self: Pin<&mut Self>, _run: &mut Run) {}
}

pin_project_lite::pin_project! {
    /// A stream that has only the one way.
    struct OneByOne<S> {
        #[pin]
        stream: S,
    }
}

impl<S: Stream> Stream for OneByOne<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.project().stream.poll_next(cx)
    }
}

impl<S: Stream<Item = Result<BodyFrame, Status>>> Frames for OneByOne<S> {}

/// A body behind a message that was taken out of it to look at.
#[cfg(feature = "hmac")]
struct Headed {
    first: Option<Message>,
    rest: Body,
}

#[cfg(feature = "hmac")]
impl Stream for Headed {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(BodyFrame::Message(first)))),
            None => self.rest.poll_frame(cx),
        }
    }
}

#[cfg(feature = "hmac")]
impl Frames for Headed {
    fn poll_batch(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        if let Some(first) = self.first.take() {
            batch.put_message(first);
        }
        self.rest.poll_batch(cx, batch)
    }
}

/// One element of a body.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyFrame {
    /// A message.
    Message(Message),
    /// Metadata behind the last message; nothing follows it.
    Trailers(HeaderMap),
}

impl Body {
    /// Makes a body without messages.
    pub fn empty() -> Self {
        Self::from_kind(Kind::Empty)
    }

    /// Makes a body of one message.
    pub fn message(message: Message) -> Self {
        Self::from_kind(Kind::Message(message))
    }

    /// Makes a body that streams.
    pub fn stream(frames: impl Stream<Item = Result<BodyFrame, Status>> + Send + 'static) -> Self {
        Self::frames(OneByOne { stream: frames })
    }

    /// Makes a body that streams and can encode many messages at once.
    pub(crate) fn frames(frames: impl Frames + Send + 'static) -> Self {
        Self::from_kind(Kind::Stream(Mutex::new(Box::pin(frames))))
    }

    /// Says that the first message is the arguments beside the stream, and not an item of it.
    #[must_use]
    pub fn with_head(mut self) -> Self {
        self.has_head = true;
        self
    }

    /// Returns whether the next message is the arguments beside the stream.
    pub fn has_head(&self) -> bool {
        self.has_head
    }

    /// Puts the arguments beside the stream before what is left of it.
    #[cfg(feature = "hmac")]
    pub(crate) fn with_first(mut self, first: Message) -> Self {
        let guards = self.take_guards();
        let mut body = Self::frames(Headed {
            first: Some(first),
            rest: self,
        });
        body.extend_guards(guards);
        body.with_head()
    }

    fn from_kind(kind: Kind) -> Self {
        Self {
            kind,
            has_head: false,
            guards: Vec::new(),
        }
    }

    /// Returns whether the body streams; one that does not has its one message at hand.
    pub fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(_))
    }

    /// Returns the one message of a body that does not stream, if it is still there.
    pub fn single_mut(&mut self) -> Option<&mut Message> {
        match &mut self.kind {
            Kind::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Returns the one message of a body that does not stream, if it is still there.
    #[cfg(feature = "http")]
    pub(crate) fn single(&self) -> Option<&Message> {
        match &self.kind {
            Kind::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Returns the same body once more, unless it streams.
    pub(crate) fn try_clone(&mut self) -> Option<Self> {
        let kind = match &mut self.kind {
            Kind::Empty => Kind::Empty,
            Kind::Message(message) => Kind::Message(message.share()),
            Kind::Stream(_) => return None,
        };
        Some(Self {
            has_head: self.has_head,
            ..Self::from_kind(kind)
        })
    }

    /// Takes the one message of a body that does not stream.
    pub(crate) fn take_single(&mut self) -> Option<Message> {
        match std::mem::replace(&mut self.kind, Kind::Empty) {
            Kind::Message(message) => Some(message),
            other => {
                self.kind = other;
                None
            }
        }
    }

    /// Polls for the next frame; `None` is the good end.
    pub fn poll_frame(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame, Status>>> {
        let polled = match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Message(_) => {
                let message = self.take_single();
                return Poll::Ready(message.map(|it| Ok(BodyFrame::Message(it))));
            }
            Kind::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                stream.as_mut().poll_next(cx)
            }
        };
        if polled.is_ready() {
            self.has_head = false;
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.end();
        }
        polled
    }

    /// Adds messages to a batch as long as it takes more and there are any. Whoever asks for
    /// batches wants every message as bytes; a head is one of them.
    pub(crate) fn poll_batch(&mut self, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        let filled = match &mut self.kind {
            Kind::Empty => Filled::Ended(HeaderMap::new()),
            Kind::Message(_) => {
                self.take_single()
                    .into_iter()
                    .for_each(|it| batch.put_message(it));
                return Filled::Full;
            }
            Kind::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                stream.as_mut().poll_batch(cx, batch)
            }
        };
        if !batch.is_empty() {
            self.has_head = false;
        }
        if matches!(filled, Filled::Ended(_) | Filled::Failed(_)) {
            self.end();
        }
        filled
    }

    /// Takes out what came together with the last message.
    pub(crate) fn take_run(&mut self, run: &mut Run) {
        if let Kind::Stream(stream) = &mut self.kind {
            let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
            stream.as_mut().take_run(run);
        }
    }

    fn end(&mut self) {
        self.kind = Kind::Empty;
        self.guards.clear();
    }

    /// Returns the next frame; `None` is the good end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn frame(&mut self) -> Option<Result<BodyFrame, Status>> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    pub(crate) fn on_end(&mut self, guard: Box<dyn Any + Send>) {
        self.guards.push(Mutex::new(guard));
    }

    /// Moves the guards of a body that is replaced to the one that replaces it.
    pub(crate) fn take_guards(&mut self) -> Vec<Mutex<Box<dyn Any + Send>>> {
        std::mem::take(&mut self.guards)
    }

    pub(crate) fn extend_guards(&mut self, guards: Vec<Mutex<Box<dyn Any + Send>>>) {
        self.guards.extend(guards);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Empty => "Body(empty)",
            Kind::Message(_) => "Body(one message)",
            Kind::Stream(_) => "Body(stream)",
        })
    }
}

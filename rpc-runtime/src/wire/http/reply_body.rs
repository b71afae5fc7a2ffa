//! What goes out behind the head of an answer.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::envelopes::{BATCH, ReplyStream, WholeReply};
use crate::status::Status;

/// The body of an answer.
pub(super) enum ReplyBody {
    /// The end.
    Empty,
    Bytes(Bytes),
    Whole(WholeReply),
    Stream(Box<ReplyStream>),
}

/// A part of a body.
pub(super) enum Part {
    Data(Bytes),
    /// Nothing follows.
    Trailers(HeaderMap),
}

impl ReplyBody {
    /// Says whether nothing is left.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Polls for the next part; `None` is the end. A stream makes little more than there is `room`
    /// for.
    pub(super) fn poll_part(
        &mut self,
        cx: &mut TaskContext<'_>,
        room: usize,
    ) -> Poll<Option<Part>> {
        let part = match self {
            Self::Empty => return Poll::Ready(None),
            Self::Bytes(bytes) => Part::Data(std::mem::take(bytes)),
            Self::Whole(reply) => {
                let (part, is_last) = reply.part();
                if !is_last {
                    return Poll::Ready(Some(part));
                }
                part
            }
            Self::Stream(stream) => {
                let part = std::task::ready!(stream.poll_part(cx, room));
                if !stream.is_over() {
                    return Poll::Ready(Some(part));
                }
                part
            }
        };
        *self = Self::Empty;
        Poll::Ready(Some(part))
    }

    /// Returns the bytes that wait in here to be sent.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Whole(reply) => reply.waiting(),
            Self::Stream(stream) => stream.waiting(),
        }
    }

    /// Ends the call with a failure in place of what was to follow. False if it has no way to say
    /// so.
    pub(super) fn fail(&mut self, status: Status) -> bool {
        match self {
            Self::Stream(stream) => stream.fail(status),
            Self::Whole(reply) => {
                reply.fail(status);
                true
            }
            Self::Empty | Self::Bytes(_) => false,
        }
    }

    /// Ready when the deadline of the call passes while its peer takes nothing: true if what was to
    /// follow is replaced by the failure, false if only breaking off can tell it.
    pub(super) fn poll_expired(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        match self {
            Self::Stream(stream) => stream.poll_expired(cx),
            // A call that is answered is over.
            Self::Empty | Self::Bytes(_) | Self::Whole(_) => Poll::Pending,
        }
    }
}

/// The body of an answer to an HTTP request, as `HttpService` gives it: messages, and gRPC's status
/// as trailers.
///
/// Dropping it before its end cancels the call.
pub struct HttpBody(pub(super) ReplyBody);

impl http_body::Body for HttpBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_part(cx, BATCH).map(|part| {
            part.map(|part| {
                Ok(match part {
                    Part::Data(bytes) => Frame::data(bytes),
                    Part::Trailers(trailers) => Frame::trailers(trailers),
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            ReplyBody::Empty => SizeHint::with_exact(0),
            ReplyBody::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ReplyBody::Whole(_) | ReplyBody::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBody").finish_non_exhaustive()
    }
}

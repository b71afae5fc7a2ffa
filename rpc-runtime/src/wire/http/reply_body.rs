//! What goes out behind the head of an answer.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Frame, SizeHint};

use super::envelopes::{BATCH, ReplyStream, WholeReply};
use super::respond::plain;
use super::server::OpenRequest;
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::incomplete::Held;

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
                let part = ready!(stream.poll_part(cx, room));
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

/// The most bytes that are handed over at once: what the peer has no room for waits here, where it is
/// counted.
const PIECE: usize = 64 << 10;

/// The body of an answer to an HTTP request, as `HttpService` gives it: messages, and gRPC's status
/// as trailers.
///
/// Dropping it before its end cancels the call.
#[cfg_attr(
    not(feature = "tower"),
    allow(unreachable_pub, reason = "only `HttpService` gives it out")
)]
pub struct HttpBody {
    body: ReplyBody,
    /// What is left of a part.
    rest: Bytes,
    held: Held,
    /// The connection is not idle while there is more of it.
    _open: Option<OpenRequest>,
}

impl HttpBody {
    /// Counts what waits in an answer for its reader; one that there is no room for is refused.
    pub(super) fn counted(
        response: Response<ReplyBody>,
        budget: Arc<Budget>,
        open: Option<OpenRequest>,
    ) -> Response<Self> {
        let mut held = Held::new(budget);
        let (head, mut body) = response.into_parts();
        let mut response = Response::from_parts(head, ());
        if let Err(status) = held.set(body.waiting()) {
            if let ReplyBody::Bytes(_) = body {
                let text = "there is no room for the answer (see `Server::max_buffered_total`)";
                let refused = plain(StatusCode::SERVICE_UNAVAILABLE, text).into_parts();
                (response, body) = (Response::from_parts(refused.0, ()), refused.1);
            } else {
                // Nothing of it has gone out: its end says so on every wire.
                body.fail(status);
            }
        }
        response.map(|()| Self {
            body,
            rest: Bytes::new(),
            held,
            _open: open,
        })
    }
}

impl http_body::Body for HttpBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match ready!(this.body.poll_part(cx, BATCH)) {
                Some(Part::Data(bytes)) => this.rest = bytes,
                Some(Part::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        // One message of a stream that has begun goes out whether there is room or not.
        let _ = this.held.set(this.rest.len() + this.body.waiting());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        match &self.body {
            ReplyBody::Empty => SizeHint::with_exact(rest),
            ReplyBody::Bytes(bytes) => SizeHint::with_exact(rest + bytes.len() as u64),
            ReplyBody::Whole(_) | ReplyBody::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBody").finish_non_exhaustive()
    }
}

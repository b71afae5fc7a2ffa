//! A call of ours on its way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready as ready_or_pending};
use std::time::Duration;

use h2::client::ResponseFuture;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Link, Place};
use super::http1::{Answering, Exchange};
use super::reply_head::read_head;
use super::request_head::Form;
use crate::call::{Request, Response};
use crate::codec::Encoding;
use crate::status::{Code, Phase, Status};
use crate::wire::http::chunks::Chunks;
use crate::wire::http::grpc::status;

/// How far the clock of a server may be ahead: timeouts are sent in whole milliseconds, and servers with one loop for all
/// (Node.js) count from when its turn began.
const AHEAD: Duration = Duration::from_millis(20);

/// What a call holds until it has ended. Dropping it before that gives the call up: HTTP/2 resets
/// a stream that nobody holds any more, and an [`Exchange`] closes its connection.
pub(super) struct OpenCall {
    pub(super) link: Arc<Link>,
    pub(super) encoding: Encoding,
    pub(super) form: Form,
    deadline: Option<Pin<Box<Sleep>>>,
    upload: Option<Uploading>,
    /// Why the stream that is sent failed, if it did.
    failed: Option<oneshot::Receiver<Status>>,
    /// The connection, where the call has it for itself; given back before the place is.
    pub(super) exchange: Option<Exchange>,
    _place: Place,
}

impl OpenCall {
    pub(super) fn new(
        link: &Arc<Link>,
        request: &Request,
        (encoding, form): (Encoding, Form),
        place: Place,
    ) -> Self {
        Self {
            link: Arc::clone(link),
            encoding,
            form,
            deadline: request
                .deadline_instant()
                .map(|it| Box::pin(sleep_until(it))),
            upload: None,
            failed: None,
            exchange: None,
            _place: place,
        }
    }

    /// Starts the task that sends; it ends with the call. It says through `failed` why the stream
    /// failed, if it does.
    pub(super) fn upload(
        &mut self,
        sending: impl Future<Output = ()> + Send + 'static,
        failed: oneshot::Receiver<Status>,
    ) {
        self.failed = Some(failed);
        self.upload = Some(Uploading(tokio::spawn(sending).abort_handle()));
    }

    /// Ready when the call is over whatever the peer does: its deadline has passed, or what was to
    /// be sent failed.
    pub(super) fn poll_over(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        if let Some(failed) = &mut self.failed
            && let Poll::Ready(failed) = Pin::new(failed).poll(cx)
        {
            self.failed = None;
            if let Ok(status) = failed {
                return Poll::Ready(status.in_phase(Phase::Send));
            }
        }
        let Some(deadline) = &mut self.deadline else {
            return Poll::Pending;
        };
        ready_or_pending!(deadline.as_mut().poll(cx));
        let text = "the deadline passed before the call ended";
        Poll::Ready(Status::deadline_exceeded(text))
    }

    /// Says whether [`poll_over`](Self::poll_over) can be ready some time.
    pub(super) fn may_end_early(&self) -> bool {
        self.failed.is_some() || self.deadline.is_some()
    }

    /// Takes a call that the server cancelled as its time ran out for one whose deadline passed,
    /// as gRPC's own clients do: the server's clock may be a moment ahead.
    pub(super) fn in_time(&self, status: Status) -> Status {
        let deadline = self.deadline.as_ref().map(|it| it.deadline());
        let is_late = deadline.is_some_and(|it| it <= Instant::now() + AHEAD);
        if status.code() == Code::Cancelled && is_late {
            let text = "the server broke the call off at its deadline";
            return Status::deadline_exceeded(text).with_source(status);
        }
        status
    }

    /// Notes that the answer has come to its end, so that the connection can be used again.
    pub(super) fn answered(&mut self) {
        let is_sent = self.upload.as_ref().is_none_or(|it| it.0.is_finished());
        if let Some(exchange) = self.exchange.as_mut().filter(|_| is_sent) {
            exchange.end();
        }
    }
}

/// The task that sends; it ends when this is dropped.
struct Uploading(AbortHandle);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The head of an answer on its way.
pub(super) enum Answer {
    Http1(Answering),
    Http2(ResponseFuture),
}

impl Answer {
    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        call: &mut OpenCall,
    ) -> Poll<Result<http::Response<Chunks>, Status>> {
        match self {
            Self::Http2(answer) => match ready_or_pending!(Pin::new(answer).poll(cx)) {
                Ok(response) => Poll::Ready(Ok(response.map(Chunks::Http2))),
                Err(error) => Poll::Ready(Err(call.in_time(status::of_broken_stream(error)))),
            },
            Self::Http1(answering) => {
                let (response, sender) = ready_or_pending!(answering.as_mut().poll(cx))?;
                if let Some(exchange) = &mut call.exchange {
                    exchange.begin(response.version(), response.headers(), sender);
                }
                Poll::Ready(Ok(response.map(Chunks::Http1)))
            }
        }
    }
}

/// The future of a call on its way: its response.
pub(super) struct Responding {
    answer: Answer,
    call: Option<OpenCall>,
}

impl Responding {
    pub(super) fn new(answer: Answer, call: OpenCall) -> Self {
        Self {
            answer,
            call: Some(call),
        }
    }
}

impl Future for Responding {
    type Output = Result<Response, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(call) = &mut this.call else {
            return Poll::Ready(Err(Status::internal("a call was polled after its end")));
        };
        let result = if let Poll::Ready(status) = call.poll_over(cx) {
            Err(status)
        } else {
            ready_or_pending!(this.answer.poll(cx, call))
        };
        let Some(call) = this.call.take() else {
            return Poll::Pending;
        };
        let peer = Arc::clone(&call.link.peer);
        let answered = result.and_then(|response| read_head(response, call));
        Poll::Ready(answered.map_err(|status| status.in_phase(Phase::Reply).at_peer(&peer)))
    }
}

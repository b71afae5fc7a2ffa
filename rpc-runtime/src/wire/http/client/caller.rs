//! Our calls on a connection.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready as ready_or_pending};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::SendStream;
use h2::client::ResponseFuture;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Link, Place};
use super::handle::Handle;
use super::reply_head::read_head;
use super::request_head::{Form, Head};
use super::upload::{Upload, upload};
use crate::call::{Body, BodyFrame, Compressed, Message, Request, Response};
use crate::codec::Encoding;
use crate::service::BoxFuture;
use crate::status::{Code, Phase, Status};
use crate::wire::http::compression::Compression;
use crate::wire::http::dialect::CompressionHeaders;
use crate::wire::http::envelopes::Batches;
use crate::wire::http::envelopes::frame::{COMPRESSED, Encoder, HEADER_LENGTH};
use crate::wire::http::grpc::status;

/// The side whose limits these are, as errors name it.
pub(super) const OWNER: &str = "client";

/// A message up to here goes out with its request; a larger one as fast as the peer takes it.
const AT_ONCE: usize = 64 << 10;

/// How far the clock of a server may be ahead: timeouts are sent in whole milliseconds.
const AHEAD: Duration = Duration::from_millis(5);

impl Connection {
    /// Begins a call: at once, if its request is one message.
    pub(crate) fn start(
        &self,
        mut request: Request,
        place: Place,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        let link = Arc::clone(&self.link);
        if !request.body().is_stream() {
            return match begin(&link, &self.http2, &mut request, None, place) {
                Ok(responding) => Box::pin(responding),
                Err(status) => {
                    let status = status.in_phase(Phase::Send).at_peer(&link.peer);
                    Box::pin(ready(Err(status)))
                }
            };
        }
        let http2 = self.http2.own();
        Box::pin(async move {
            let called = begin_stream(&link, &http2, request, place).await;
            let responding =
                called.map_err(|status| status.in_phase(Phase::Send).at_peer(&link.peer));
            // The handle would keep the connection open.
            drop((http2, link));
            responding?.await
        })
    }
}

/// Sends a request that streams, whose arguments may be the first of its messages.
async fn begin_stream(
    link: &Arc<Link>,
    http2: &Handle,
    mut request: Request,
    place: Place,
) -> Result<Responding, Status> {
    let form = Form::of(link.server.dialect, &request);
    let awaits_first = request.body().has_head() || form == Form::Whole;
    let head = if awaits_first {
        match request.body_mut().frame().await.transpose()? {
            Some(BodyFrame::Message(message)) => Some(message),
            _ => None,
        }
    } else {
        None
    };
    begin(link, http2, &mut request, head, place)
}

/// Sends a request; its stream goes on by itself.
fn begin(
    link: &Arc<Link>,
    http2: &Handle,
    request: &mut Request,
    first: Option<Message>,
    place: Place,
) -> Result<Responding, Status> {
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let encoder = encoder(link, request, encoding);
    let form = Form::of(link.server.dialect, request);
    let head = Head {
        form,
        encoding,
        compression: encoder.compression,
        has_args: first.is_some() && form == Form::Envelopes,
    };
    let says = head;
    let mut head = says.write(link, request)?;
    let mut body = request.take_body();
    let single = body.take_single();
    if form == Form::Whole {
        // What else a caller streams has no place in it.
        body = Body::empty();
    }
    let streams = body.is_stream();
    let mut out = BytesMut::new();
    let large = match first.or(single) {
        Some(message) => encoder.put(message, &mut out)?,
        None => None,
    };
    if form == Form::Whole {
        if out.first() == Some(&COMPRESSED) {
            Compression::Gzip.put(head.headers_mut(), &CompressionHeaders::OF_HTTP);
        }
        out.advance(HEADER_LENGTH.min(out.len()));
    }
    let is_get = large.is_none() && says.put_in_url(link, request, &mut head, &out);
    let sent = http2.send(head, is_get);
    let (response, mut stream) = sent.map_err(|error| {
        let text = "the connection takes no new calls";
        Status::unavailable(text)
            .with_source(error)
            .into_not_started()
    })?;
    let mut call = OpenCall::new(link, request, encoding, place);
    call.form = form;
    if is_get {
        drop(stream);
    } else if !streams && large.is_none() && out.len() <= AT_ONCE {
        let sent = stream.send_data(out.freeze(), true);
        sent.map_err(status::of_broken_stream)?;
    } else {
        let first = std::iter::once(out.freeze()).chain(large.into_iter().flatten());
        let first = first.filter(|it| !it.is_empty()).collect();
        call.upload(stream, first, body, encoder);
    }
    Ok(Responding {
        response,
        call: Some(call),
    })
}

fn encoder(link: &Link, request: &Request, encoding: Encoding) -> Encoder {
    let asked = request.extensions().get::<Compressed>();
    let single = || request.body().single()?.is_compressed();
    let asked = asked.map(|it| it.0).or_else(single);
    let is_compressed = asked.unwrap_or(link.config.compress_requests);
    Encoder {
        encoding,
        compression: if is_compressed {
            Compression::Gzip
        } else {
            Compression::Identity
        },
        compresses: is_compressed,
        max_message: link.config.limits.max_message,
        owner: OWNER,
    }
}

/// What a call holds until it has ended. Dropping it before that gives the call up: HTTP/2 resets
/// a stream that nobody holds any more.
pub(super) struct OpenCall {
    pub(super) link: Arc<Link>,
    pub(super) encoding: Encoding,
    pub(super) form: Form,
    deadline: Option<Pin<Box<Sleep>>>,
    upload: Option<Uploading>,
    /// Why the stream that is sent failed, if it did.
    failed: Option<oneshot::Receiver<Status>>,
    _place: Place,
}

impl OpenCall {
    fn new(link: &Arc<Link>, request: &Request, encoding: Encoding, place: Place) -> Self {
        Self {
            link: Arc::clone(link),
            encoding,
            form: Form::Envelopes,
            deadline: request
                .deadline_instant()
                .map(|it| Box::pin(sleep_until(it))),
            upload: None,
            failed: None,
            _place: place,
        }
    }

    /// Starts the task that sends; it ends with the call.
    fn upload(
        &mut self,
        stream: SendStream<Bytes>,
        first: Vec<Bytes>,
        body: Body,
        encoder: Encoder,
    ) {
        let (failed, receiver) = oneshot::channel();
        let sending = Upload {
            stream,
            ready: first.into(),
            body,
            batches: Batches::new(encoder),
            failed,
        };
        self.failed = Some(receiver);
        self.upload = Some(Uploading(tokio::spawn(upload(sending)).abort_handle()));
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
}

/// The task that sends; it ends when this is dropped.
struct Uploading(AbortHandle);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The future of a call on its way: its response.
struct Responding {
    response: ResponseFuture,
    call: Option<OpenCall>,
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
            match ready_or_pending!(Pin::new(&mut this.response).poll(cx)) {
                Ok(response) => Ok(response),
                Err(error) => Err(call.in_time(status::of_broken_stream(error))),
            }
        };
        let Some(call) = this.call.take() else {
            return Poll::Pending;
        };
        let peer = Arc::clone(&call.link.peer);
        let answered = result.and_then(|response| read_head(response, call));
        Poll::Ready(answered.map_err(|status| status.in_phase(Phase::Reply).at_peer(&peer)))
    }
}

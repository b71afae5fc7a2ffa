//! Our calls on a connection.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready as ready_or_pending};

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderValue, StatusCode, Uri};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Sleep, sleep_until};

use super::compression::Compression;
use super::connection::{Connection, Link, Place};
use super::download::Download;
use super::frame::Encoder;
use super::upload::{Upload, upload};
use super::{HEAD, status, timeout};
use crate::call::{Body, BodyFrame, Message, Request, Response};
use crate::codec::Encoding;
use crate::service::BoxFuture;
use crate::status::{Phase, Status};
use crate::wire::http::content_type::{self, Protocol};
use crate::wire::http::metadata;

/// The side whose limits these are, as errors name it.
pub(super) const OWNER: &str = "client";

/// Who calls.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("grpc-rust-rpc-runtime/", env!("CARGO_PKG_VERSION")));

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// A message up to here goes out with its request; a larger one as fast as the peer takes it.
const AT_ONCE: usize = 64 << 10;

impl Connection {
    /// Begins a call: at once, if its request is one message and there is a place.
    pub(crate) fn start(
        &self,
        mut request: Request,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        let link = Arc::clone(&self.link);
        let mut http2 = self.http2.clone();
        if !request.body().is_stream()
            && let Some(place) = link.take_place()
        {
            return match begin(&link, &mut http2, &mut request, None, place) {
                Ok(responding) => Box::pin(responding),
                Err(status) => {
                    let status = status.in_phase(Phase::Send).at_peer(&link.peer);
                    Box::pin(ready(Err(status)))
                }
            };
        }
        Box::pin(async move {
            let called = wait_and_begin(&link, &mut http2, request).await;
            let responding =
                called.map_err(|status| status.in_phase(Phase::Send).at_peer(&link.peer));
            // The handle would keep the connection open.
            drop((http2, link));
            responding?.await
        })
    }
}

async fn wait_and_begin(
    link: &Arc<Link>,
    http2: &mut SendRequest<Bytes>,
    mut request: Request,
) -> Result<Responding, Status> {
    let place = link.place(request.first_deadline()).await?;
    let head = if request.body().has_head() {
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
    http2: &mut SendRequest<Bytes>,
    request: &mut Request,
    first: Option<Message>,
    place: Place,
) -> Result<Responding, Status> {
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let encoder = encoder(link, encoding);
    let head = head(link, request, encoding, first.is_some())?;
    let mut body = request.take_body();
    let single = body.take_single();
    let streams = body.is_stream();
    let mut out = BytesMut::new();
    let large = match first.or(single) {
        Some(message) => encoder.put(message, &mut out)?,
        None => None,
    };
    let sent = http2.send_request(head, false);
    let (response, mut stream) = sent.map_err(|error| {
        let text = "the connection takes no new calls";
        Status::unavailable(text)
            .with_source(error)
            .into_not_started()
    })?;
    let mut call = OpenCall::new(link, request, encoding, place);
    if !streams && large.is_none() && out.len() <= AT_ONCE {
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

fn encoder(link: &Link, encoding: Encoding) -> Encoder {
    Encoder {
        encoding,
        compression: Compression::Identity,
        max_message: link.config.limits.max_message,
        owner: OWNER,
    }
}

/// Writes the head of a request.
fn head(
    link: &Link,
    request: &Request,
    encoding: Encoding,
    has_head: bool,
) -> Result<http::Request<()>, Status> {
    let path = format!("/{}", request.method().path());
    let uri = Uri::builder()
        .scheme(link.server.scheme.clone())
        .authority(link.server.authority.clone())
        .path_and_query(path)
        .build();
    let uri = uri.map_err(|error| {
        Status::invalid_argument("the method's path cannot be sent over HTTP").with_source(error)
    })?;
    let mut head = http::Request::post(uri)
        .version(http::Version::HTTP_2)
        .body(());
    let headers = head.as_mut().ok().map(http::Request::headers_mut);
    let headers = headers.ok_or_else(|| Status::internal("the request cannot be written"))?;
    let content_type = format!("application/grpc+{}", content_type::subtype(encoding));
    let content_type = HeaderValue::try_from(content_type)
        .map_err(|error| Status::internal("the encoding has no name").with_source(error))?;
    headers.insert(TE, TRAILERS);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(USER_AGENT, AGENT);
    Compression::put_accepted(headers);
    if let Some(remaining) = request.remaining() {
        let value = HeaderValue::try_from(timeout::format(remaining));
        headers.extend(value.map(|it| (timeout::NAME, it)));
    }
    let attempt = request.attempt();
    if attempt > 1 {
        headers.insert(status::PREVIOUS_ATTEMPTS, HeaderValue::from(attempt - 1));
    }
    if has_head {
        headers.insert(HEAD, HeaderValue::from_static("1"));
    }
    metadata::put_headers(headers, request.metadata(), link.config.limits.max_metadata)?;
    head.map_err(|error| Status::internal("the request cannot be written").with_source(error))
}

/// What a call holds until it has ended. Dropping it before that gives the call up: HTTP/2 resets
/// a stream that nobody holds any more.
pub(super) struct OpenCall {
    pub(super) link: Arc<Link>,
    pub(super) encoding: Encoding,
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
            encoder,
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
                Err(error) => Err(status::of_broken_stream(error)),
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

/// Reads the head of an answer, which is all of it when the call failed at once.
fn read_head(response: http::Response<RecvStream>, mut call: OpenCall) -> Result<Response, Status> {
    let (head, stream) = response.into_parts();
    let mut headers = head.headers;
    let limits = &call.link.config.limits;
    let content_type = headers.get(CONTENT_TYPE);
    let protocol = content_type.and_then(Protocol::of);
    let Some(Protocol::Grpc(subtype)) = protocol else {
        return Err(not_grpc(head.status, content_type));
    };
    let named = subtype.map(|it| {
        content_type::encoding(it).ok_or_else(|| {
            let shown = it.get(..32).unwrap_or(it).escape_debug();
            Status::internal(format!(
                "the server answers in the unknown encoding `{shown}`"
            ))
        })
    });
    call.encoding = named.transpose()?.unwrap_or(call.encoding);
    // A good status that is not the end is none.
    let failed = headers
        .get(status::STATUS)
        .is_some_and(|it| *it != status::OK);
    if failed || (headers.contains_key(status::STATUS) && stream.is_end_stream()) {
        let end = status::end(&mut headers, limits)?;
        let mut response = Response::new(Body::empty());
        response.set_trailers(end.into());
        let link = Arc::clone(&call.link);
        response.set_peer(link);
        return Ok(response);
    }
    if head.status != StatusCode::OK {
        return Err(not_grpc(head.status, headers.get(CONTENT_TYPE)));
    }
    let compression = Compression::of(&headers).map_err(|status| {
        Status::internal("the server compresses as it was not offered").with_source(status)
    })?;
    let metadata = status::metadata_of_reply(&headers, limits)?;
    let link = Arc::clone(&call.link);
    let mut response = Response::new(Body::frames(Download::new(stream, compression, call)));
    response.set_metadata(metadata.into());
    response.set_peer(link);
    Ok(response)
}

/// What an answer means that is none of gRPC: an error page of a proxy, say.
fn not_grpc(http_status: StatusCode, content_type: Option<&HeaderValue>) -> Status {
    let shown = content_type.map_or(&b"nothing"[..], HeaderValue::as_bytes);
    let shown = shown.get(..64).unwrap_or(shown).escape_ascii();
    Status::new(
        status::code_of_http(http_status),
        format!(
            "the server did not answer with gRPC: HTTP status {http_status}, content type `{shown}`"
        ),
    )
    .into_remote()
}

//! Our calls, each a request: HTTP/1.1, which every server of JSON-RPC over HTTP speaks.
//!
//! A connection has one call at a time, so more calls at once take more connections, up to
//! `max_connections`.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::JSON;
use crate::call::{Body, EXPECTED_KIND, Message, Peer, Request, Response};
use crate::codec::Encoding;
use crate::service::BoxFuture;
use crate::status::{Phase, Status};
use crate::transport::Io;
use crate::wire::budget::Budget;
use crate::wire::config::Config;
use crate::wire::http::chunks::{Chunks, Stopped};
use crate::wire::http::compression::Compression;
use crate::wire::http::dialect::CompressionHeaders;
use crate::wire::http::grpc::status::code_of_http;
use crate::wire::http::http1::HEAD;
use crate::wire::http::prefixed::Prefixed;
use crate::wire::http::reply_body::HttpBody;
use crate::wire::http::stalled::Stalled;
use crate::wire::http::web_url::WebUrl;
use crate::wire::http::whole_body::{OwnLimit, WholeBody};
use crate::wire::http::{connect, metadata};
use crate::wire::incomplete::Held;
use crate::wire::jsonrpc::{Dialect, answer_of, request};

/// The side whose limits these are, as errors name it.
const OWNER: &str = "client";

/// The id of every call: there is only one in a request.
const ID: u64 = 1;

type Sender = SendRequest<HttpBody>;

/// A handle to begin calls with. The connection closes when it is gone and its call has ended.
pub(crate) struct Connection(Arc<Link>);

struct Link {
    peer: Arc<str>,
    url: WebUrl,
    config: Arc<Config>,
    budget: Arc<Budget>,
    /// Where the requests go; a call has it while it runs.
    sender: Mutex<Option<Sender>>,
    /// The one place; closed with the connection.
    place: Arc<Semaphore>,
    /// A call had its answer here, so the server may close the connection at any time.
    is_used: AtomicBool,
}

/// Says that a connection ended under a call, which it had been idle before, and before anything of an
/// answer came: the server closes such connections, and most likely saw nothing of the call.
struct EndedWhileIdle;

/// Says whether a call can be made again on another connection: it was not sent, or it is one that may
/// run twice and met the end of an idle connection (RFC 9110, section 9.2.2).
pub(crate) fn may_go_again(status: &Status, is_idempotent: bool) -> bool {
    let met_the_end = status
        .attachment()
        .is_some_and(|it| it.is::<EndedWhileIdle>());
    met_the_end && (is_idempotent || status.is_not_started())
}

/// The place for a call. Dropping it before the call has its answer closes the connection, which
/// is how the server hears of it.
pub(crate) struct Place {
    link: Arc<Link>,
    sender: Option<Sender>,
    is_answered: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_answered {
            self.link.is_used.store(true, Ordering::Relaxed);
            let sender = self.sender.take();
            *self.link.sender() = sender;
        } else {
            self.link.place.close();
        }
    }
}

impl Peer for Link {
    fn name(&self) -> &Arc<str> {
        &self.peer
    }
}

impl Link {
    fn sender(&self) -> std::sync::MutexGuard<'_, Option<Sender>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place {
            sender: self.sender().take(),
            link: Arc::clone(self),
            is_answered: false,
            _permit: permit,
        }
    }
}

impl Connection {
    /// Makes a connection of a byte stream; the future that comes with it drives it.
    ///
    /// # Errors
    ///
    /// A byte stream that breaks at once.
    pub(crate) async fn open(
        io: Io,
        url: &WebUrl,
        config: Arc<Config>,
    ) -> Result<
        (
            Self,
            impl Future<Output = Result<(), Status>> + Send + use<>,
        ),
        Status,
    > {
        let peer = Arc::clone(io.peer());
        let io = Prefixed::new(Bytes::new(), io);
        let io = Stalled::new(io, config.keepalive_timeout, config.limits.message_timeout);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD + config.limits.max_metadata);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await.map_err(broken)?;
        let budget = Budget::new(config.limits.max_buffered, config.shared_budget.clone());
        let place = Arc::new(Semaphore::new(1));
        let link = Link {
            peer,
            url: url.clone(),
            budget: Arc::new(budget),
            config,
            sender: Mutex::new(Some(sender)),
            is_used: AtomicBool::new(false),
            place: Arc::clone(&place),
        };
        let driver = async move {
            /// Says that no call begins here, however the connection ends.
            struct Closing(Arc<Semaphore>);
            impl Drop for Closing {
                fn drop(&mut self) {
                    self.0.close();
                }
            }
            let _closing = Closing(place);
            connection.await.map_err(broken)
        };
        Ok((Self(Arc::new(link)), driver))
    }

    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.place.is_closed()
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        usize::from(self.0.sender().is_none())
    }

    /// Takes the place at once, if it is free.
    pub(crate) fn take_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0.place).try_acquire_owned().ok()?;
        Some(self.0.taken(permit))
    }

    /// Waits for the place, no longer than the call may take.
    pub(crate) async fn place(&self, end: Option<Instant>) -> Result<Place, Status> {
        let permit = within(
            end,
            Arc::clone(&self.0.place).acquire_owned(),
            || "the deadline passed while the call waited for one of the `max_connections`",
        );
        let placed = permit.await.and_then(|permit| {
            let closed = |_| Status::unavailable("the connection is closed").into_not_started();
            permit.map_err(closed)
        });
        match placed {
            Ok(permit) => Ok(self.0.taken(permit)),
            Err(status) => Err(status.in_phase(Phase::Send).at_peer(&self.0.peer)),
        }
    }

    /// Begins a call.
    pub(crate) fn start(
        &self,
        request: Request,
        place: Place,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        let link = Arc::clone(&self.0);
        Box::pin(async move {
            let called = call(&link, request, place).await;
            called.map_err(|status| status.in_phase(Phase::Reply).at_peer(&link.peer))
        })
    }
}

async fn call(link: &Arc<Link>, request: Request, mut place: Place) -> Result<Response, Status> {
    let deadline = request.first_deadline();
    let post = match post(link, request) {
        Ok(post) => post,
        Err(status) => {
            // Nothing was sent.
            place.is_answered = true;
            return Err(status.in_phase(Phase::Send));
        }
    };
    let answer = within(
        deadline,
        answer(link, &mut place, post),
        || "the deadline passed before the call ended",
    );
    let bytes = answer.await??;
    drop(place);
    let mut held = Held::new(Arc::clone(&link.budget));
    held.set(bytes.len())?;
    let limits = link.config.limits.decode_limits();
    let message = Message::with_limits(bytes, Encoding::JSON, limits);
    let mut response = Response::new(Body::message(message));
    response.on_end(held);
    response.set_peer(Arc::clone(link) as _);
    Ok(response)
}

async fn within<F: Future>(
    deadline: Option<Instant>,
    what: F,
    late: fn() -> &'static str,
) -> Result<F::Output, Status> {
    match deadline {
        None => Ok(what.await),
        Some(deadline) => timeout_at(deadline, what)
            .await
            .map_err(|_| Status::deadline_exceeded(late())),
    }
}

/// Makes the request of a call. What HTTP can carry beside a text goes into the headers.
fn post(link: &Link, mut request: Request) -> Result<http::Request<HttpBody>, Status> {
    let dialect = Dialect::JSON_RPC;
    let limits = &link.config.limits;
    if request::ending(dialect, &request)?.is_some() {
        let text = "JSON-RPC has no streams over HTTP: connect with `jsonrpc+ws://`";
        return Err(Status::unimplemented(text));
    }
    let mut headers = HeaderMap::new();
    request.metadata_mut().remove(EXPECTED_KIND);
    let metadata = std::mem::take(request.metadata_mut());
    metadata::put_headers(&mut headers, &metadata, limits.max_metadata)?;
    if let Some(timeout) = request.remaining() {
        let timeout = HeaderValue::try_from(connect::format_timeout(timeout));
        headers.extend(timeout.map(|it| (connect::TIMEOUT, it)));
    }
    let host = HeaderValue::from_str(link.url.authority.as_str());
    headers.extend(host.map(|it| (HOST, it)));
    for (name, value) in [
        (CONTENT_TYPE, JSON),
        (ACCEPT, JSON),
        (ACCEPT_ENCODING, "gzip"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let text = request::text(dialect, request, ID, limits.max_message)?.freeze();
    let mut post = http::Request::new(HttpBody::of_request(text, Arc::clone(&link.budget)));
    *post.method_mut() = http::Method::POST;
    *post.uri_mut() = link.url.path.clone().into();
    *post.headers_mut() = headers;
    Ok(post)
}

/// Sends a request and reads the result out of its answer.
async fn answer(
    link: &Link,
    place: &mut Place,
    post: http::Request<HttpBody>,
) -> Result<Bytes, Status> {
    let gone = || Status::unavailable("the connection is closed").into_not_started();
    let was_used = link.is_used.load(Ordering::Relaxed);
    let ended = |status: Status| match was_used {
        true => status.with_attachment(Arc::new(EndedWhileIdle)),
        false => status,
    };
    let sender = place.sender.as_mut().ok_or_else(gone)?;
    let ready = sender.ready().await;
    ready.map_err(|error| ended(gone().with_source(error)))?;
    let sent = sender.send_request(post).await;
    let response = sent.map_err(|error| ended(broken(error)))?;
    let (head, body) = response.into_parts();
    if is_last(head.version, &head.headers) {
        link.place.close();
    }
    let text = read(link, &head.headers, body).await?;
    place.is_answered = true;
    result(head.status, &text)
}

/// Says whether the server closes the connection behind its answer: RFC 9112, section 9.3.
fn is_last(version: Version, headers: &HeaderMap) -> bool {
    let says = |what: &str| {
        let values = headers.get_all(CONNECTION).iter();
        let mut words = values.flat_map(|it| it.to_str().unwrap_or_default().split(','));
        words.any(|it| it.trim().eq_ignore_ascii_case(what))
    };
    says("close") || (version == Version::HTTP_10 && !says("keep-alive"))
}

async fn read(link: &Link, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Status> {
    let limits = &link.config.limits;
    let compression = Compression::of(headers, &CompressionHeaders::OF_HTTP)?;
    let mut body = WholeBody::new(Chunks::Http1(body), &link.budget, limits, OWNER);
    let read = poll_fn(|cx| body.poll_read(cx)).await;
    let bytes = read.map_err(|stopped| match stopped {
        Stopped::Failed(status) => status,
        Stopped::Broken(error) => {
            Status::unavailable("the connection broke within the answer").with_source(error)
        }
    })?;
    let limit = OwnLimit {
        bytes: limits.max_message,
        owner: OWNER,
    };
    limit.unpack(bytes, compression, || {
        Status::internal("the answer cannot be decompressed")
    })
}

/// Takes the result out of an answer; some servers say in the HTTP status as well that there is none.
fn result(status: StatusCode, text: &Bytes) -> Result<Bytes, Status> {
    if let Some(answer) = answer_of(Dialect::JSON_RPC, text, ID) {
        return answer;
    }
    if status.is_success() {
        let text = "the server did not answer with what JSON-RPC has";
        return Err(Status::internal(text));
    }
    let text = format!("the server answered with HTTP status {status} and no error");
    Err(Status::new(code_of_http(status), text).into_remote())
}

fn broken(error: hyper::Error) -> Status {
    let is_started = !error.is_canceled();
    let status = Status::unavailable("the connection broke").with_source(error);
    if is_started {
        status
    } else {
        status.into_not_started()
    }
}

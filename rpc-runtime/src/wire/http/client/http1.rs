//! HTTP/1.1, for servers that know nothing newer: one call at a time on a connection.
//!
//! A call is given up by closing its connection, and no server can be asked whether it is still there: a
//! server that is silent is found by the deadlines of the calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::connection::Link;
use super::request_body::RequestBody;
use crate::call::Cancellation;
use crate::service::BoxFuture;
use crate::status::Status;
use crate::transport::Io;
use crate::wire::http::http1::HEAD;
use crate::wire::http::prefixed::Prefixed;
use crate::wire::http::stalled::Stalled;

type Sender = SendRequest<RequestBody>;

/// Where requests go, one at a time.
pub(super) struct Http1 {
    /// A call has it while it runs.
    sender: Mutex<Option<Sender>>,
    link: Arc<Link>,
    closing: Cancellation,
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

/// What comes of a request: its answer, and what the next one needs.
pub(super) type Answering = BoxFuture<'static, Result<(Response<Incoming>, Sender), Status>>;

impl Http1 {
    /// Makes a connection of a byte stream; the future that comes with it drives it.
    ///
    /// # Errors
    ///
    /// A byte stream that breaks at once.
    pub(super) async fn open(
        io: Io,
        link: &Arc<Link>,
    ) -> Result<
        (
            Arc<Self>,
            impl Future<Output = Result<(), Status>> + Send + use<>,
        ),
        Status,
    > {
        let config = &link.config;
        let io = Prefixed::new(Bytes::new(), io);
        let io = Stalled::new(io, config.keepalive_timeout, config.limits.message_timeout);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD + config.limits.max_metadata);
        let opened = builder.handshake(TokioIo::new(io)).await;
        let (sender, connection) = opened.map_err(|error| of_broken_exchange(error, link))?;
        let closing = Cancellation::new();
        let closed = closing.cancelled();
        let http1 = Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            link: Arc::clone(link),
            closing,
            is_used: AtomicBool::new(false),
        });
        let link = Arc::clone(link);
        let driver = async move {
            let closing = Closing(link);
            let ended = tokio::select! {
                biased;
                ended = connection => ended.map_err(|error| of_broken_exchange(error, &closing.0)),
                () = closed => Ok(()),
            };
            if let Err(reason) = &ended {
                closing.0.close(reason.clone());
            }
            ended
        };
        Ok((http1, driver))
    }

    fn sender(&self) -> MutexGuard<'_, Option<Sender>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a request can begin here, now or when the one before it has ended.
    pub(super) fn is_open(&self) -> bool {
        !self.sender().as_ref().is_some_and(Sender::is_closed)
    }

    /// Closes the connection, and sends away who waits for it.
    fn close(&self) {
        self.link
            .close(Status::unavailable("the connection was closed"));
        self.closing.cancel();
    }

    /// Sends a request.
    pub(super) fn send(
        self: &Arc<Self>,
        request: http::Request<RequestBody>,
    ) -> (Answering, Exchange) {
        let exchange = Exchange {
            sender: None,
            is_answered: false,
            http1: Arc::clone(self),
        };
        let sender = self.sender().take();
        let link = Arc::clone(&self.link);
        let was_used = self.is_used.load(Ordering::Relaxed);
        let answering = async move {
            let gone = || {
                let text = "the connection is closed";
                Status::unavailable(text).into_not_started()
            };
            let ended = |status: Status| match was_used {
                true => status.with_attachment(Arc::new(EndedWhileIdle)),
                false => status,
            };
            let mut sender = sender.ok_or_else(|| ended(gone()))?;
            let ready = sender.ready().await;
            ready.map_err(|error| ended(gone().with_source(error)))?;
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| match error.is_parse() {
                true => of_broken_exchange(error, &link),
                false => ended(of_broken_exchange(error, &link)),
            })?;
            Ok((answer, sender))
        };
        (Box::pin(answering), exchange)
    }
}

/// Says that no call begins here, however the connection ends.
struct Closing(Arc<Link>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0
            .close(Status::unavailable("the connection was closed"));
    }
}

/// The use of a connection by a call. Dropping it before the answer has ended closes the connection,
/// which is how the server hears of it.
pub(super) struct Exchange {
    http1: Arc<Http1>,
    sender: Option<Sender>,
    is_answered: bool,
}

impl Exchange {
    /// Notes the head of the answer.
    pub(super) fn begin(&mut self, version: Version, headers: &HeaderMap, sender: Sender) {
        if is_last(version, headers) {
            let text = "the server closes the connection behind its answer";
            self.http1.link.close(Status::unavailable(text));
        } else {
            self.sender = Some(sender);
        }
    }

    /// Notes that the answer has come to its end, and the request had.
    pub(super) fn end(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        match self.sender.take() {
            Some(sender) if self.is_answered && !sender.is_closed() => {
                self.http1.is_used.store(true, Ordering::Relaxed);
                *self.http1.sender() = Some(sender);
            }
            _ => self.http1.close(),
        }
    }
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

/// Returns why a call failed that had no answer.
fn of_broken_exchange(error: hyper::Error, link: &Link) -> Status {
    if error.is_parse_too_large() {
        let text = "the head of the answer is over the limit `max_metadata`";
        return Status::resource_exhausted(text).with_source(error);
    }
    if error.is_parse() {
        let name = link.server.spoken.name();
        let text = format!("the peer does not speak HTTP/1.1: is it a {name} server?");
        return Status::unavailable(text).with_source(error);
    }
    let is_started = !error.is_canceled();
    let status = Status::unavailable("the connection broke before the call had ended");
    let status = status.with_source(error);
    if is_started {
        status
    } else {
        status.into_not_started()
    }
}

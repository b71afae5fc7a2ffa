//! A connection to a server.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::handle::Handle;
use super::http1::Http1;
use crate::call::{Cancellation, Peer};
use crate::service::BoxFuture;
use crate::status::{Phase, Status};
use crate::transport::Io;
use crate::wire::budget::Budget;
use crate::wire::config::Config;
use crate::wire::http::http2::{connection_window, max_header_list, send_buffer};
use crate::wire::http::keepalive::Keepalive;
use crate::wire::http::peer_url::HttpServer;
use crate::wire::http::prefixed::Prefixed;

/// A handle to begin calls with. The connection closes when the last one is gone and its calls
/// have ended.
pub(crate) struct Connection {
    pub(super) requests: Requests,
    pub(super) link: Arc<Link>,
}

/// Where requests go.
pub(super) enum Requests {
    Http1(Arc<Http1>),
    Http2(Handle),
}

impl Requests {
    /// Returns a handle of its own, for who outlives this one.
    pub(super) fn own(&self) -> Self {
        match self {
            Self::Http1(http1) => Self::Http1(Arc::clone(http1)),
            Self::Http2(http2) => Self::Http2(http2.own()),
        }
    }

    /// Returns whether requests can begin.
    fn is_open(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.is_open(),
            Self::Http2(http2) => http2.is_open(),
        }
    }
}

/// What reads and writes a connection; it ends when the connection does, and says why if that was not
/// in peace.
type Driving = BoxFuture<'static, Result<(), Status>>;

/// What the calls of a connection share with its driver.
pub(super) struct Link {
    pub(super) peer: Arc<str>,
    pub(super) server: HttpServer,
    pub(super) config: Arc<Config>,
    pub(super) budget: Arc<Budget>,
    /// As many as calls may be open at once; closed with the connection.
    places: Arc<Semaphore>,
    calls: AtomicUsize,
    closed: OnceLock<Status>,
    /// The peer has introduced itself, or the connection is closed.
    settled: Cancellation,
}

impl Connection {
    /// Makes a connection of a byte stream; the future that comes with it drives it.
    ///
    /// # Errors
    ///
    /// A byte stream that breaks at once.
    pub(crate) async fn open(
        io: Io,
        config: Arc<Config>,
        server: HttpServer,
    ) -> Result<(Self, Driving), Status> {
        let is_http2 = server.speaks_http2(io.agreed_protocol());
        let link = Arc::new(Link::new(Arc::clone(io.peer()), config, server));
        if is_http2 {
            Self::open_http2(io, link).await
        } else {
            Self::open_http1(io, link).await
        }
    }

    async fn open_http2(io: Io, link: Arc<Link>) -> Result<(Self, Driving), Status> {
        let (http2, connection, mut keepalive) = handshake(io, &link.config).await?;
        keepalive.ping_now();
        let driver = Driver {
            http2: connection,
            keepalive,
            link: Arc::clone(&link),
            places: 0,
            yielded: false,
        };
        let requests = Requests::Http2(Handle::new(http2));
        Ok((Self { requests, link }, Box::pin(driver)))
    }

    async fn open_http1(io: Io, link: Arc<Link>) -> Result<(Self, Driving), Status> {
        let (http1, driver) = Http1::open(io, &link).await?;
        // Who speaks HTTP/1.1 says nothing before being asked.
        link.places.add_permits(1);
        link.settled.cancel();
        let requests = Requests::Http1(http1);
        Ok((Self { requests, link }, Box::pin(driver)))
    }

    /// Waits until the peer has introduced itself; fails with the reason if the connection is
    /// closed before that.
    pub(crate) async fn introduced(&self) -> Result<(), Status> {
        self.link.settled.cancelled().await;
        self.link.closed.get().cloned().map_or(Ok(()), Err)
    }

    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        self.link.closed.get().is_none() && self.requests.is_open()
    }

    /// Takes a place for a call at once, if there is one.
    pub(crate) fn take_place(&self) -> Option<Place> {
        self.link.take_place()
    }

    /// Waits for a place, no longer than the call may take.
    pub(crate) async fn place(&self, end: Option<Instant>) -> Result<Place, Status> {
        let placed = self.link.place(end).await;
        placed.map_err(|status| status.in_phase(Phase::Send).at_peer(&self.link.peer))
    }

    /// Says whether the server may close it under a call, as servers of HTTP/1.1 do with idle ones.
    pub(crate) fn may_end_when_idle(&self) -> bool {
        matches!(self.requests, Requests::Http1(_))
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        self.link.calls.load(Ordering::Relaxed)
    }
}

/// The longest frame that a server may send: each costs it a write and us a read, and holds up what
/// is behind it. Fragments of the native wire are as long.
const MAX_FRAME: u32 = 64 << 10;

/// How long a call that was given up is remembered: its answer may be on its way.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// How many frames of calls that are forgotten a connection may have come: a server that had stood still answers
/// all that it finds. Each costs a moment's memory.
const MAX_STRAYS: usize = 1 << 16;

type Http2 = client::Connection<Prefixed, Bytes>;

/// Sends our preface and settings.
async fn handshake(
    io: Io,
    config: &Config,
) -> Result<(SendRequest<Bytes>, Http2, Keepalive), Status> {
    let limits = &config.limits;
    let io = Prefixed::new(Bytes::new(), io);
    let last_read = io.last_read();
    let handshake = client::Builder::new()
        .enable_push(false)
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(connection_window(limits))
        .max_header_list_size(max_header_list(limits))
        .max_frame_size(MAX_FRAME)
        .max_send_buffer_size(send_buffer(limits))
        .max_concurrent_reset_streams(usize::try_from(limits.max_calls).unwrap_or(usize::MAX))
        .reset_stream_duration(REMEMBERED_FOR)
        .max_local_error_reset_streams(Some(MAX_STRAYS))
        .handshake(io)
        .await;
    let (http2, mut connection) = handshake
        .map_err(|error| Status::unavailable("the connection broke").with_source(error))?;
    let keepalive = Keepalive::new(
        connection.ping_pong(),
        last_read,
        config.http.keepalive_interval,
        config.keepalive_timeout,
        config.frame_timeout,
    );
    Ok((http2, connection, keepalive))
}

/// One of the places for calls at once; free again when this is dropped.
pub(crate) struct Place {
    link: Arc<Link>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn new(link: &Arc<Link>, permit: OwnedSemaphorePermit) -> Self {
        link.calls.fetch_add(1, Ordering::Relaxed);
        Self {
            link: Arc::clone(link),
            _permit: permit,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.link.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Peer for Link {
    fn name(&self) -> &Arc<str> {
        &self.peer
    }
}

impl Link {
    fn new(peer: Arc<str>, config: Arc<Config>, server: HttpServer) -> Self {
        let budget = Budget::new(config.limits.max_buffered, config.shared_budget.clone());
        Self {
            peer,
            server,
            budget: Arc::new(budget),
            config,
            places: Arc::new(Semaphore::new(0)),
            calls: AtomicUsize::new(0),
            closed: OnceLock::new(),
            settled: Cancellation::new(),
        }
    }

    /// Takes a place at once, if there is one.
    fn take_place(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place::new(self, permit))
    }

    /// Waits for a place, no longer than the call may take.
    async fn place(self: &Arc<Self>, end: Option<Instant>) -> Result<Place, Status> {
        let acquire = Arc::clone(&self.places).acquire_owned();
        let acquired = match end {
            None => acquire.await,
            Some(end) => timeout_at(end, acquire).await.map_err(|_| {
                Status::deadline_exceeded(
                    "the deadline passed while the call waited for one of the places that the \
                     server gives (SETTINGS_MAX_CONCURRENT_STREAMS, one over HTTP/1.1), the limit \
                     `max_calls` allows and `max_connections` multiplies",
                )
            })?,
        };
        let permit = acquired.map_err(|_| self.why_closed().into_not_started())?;
        Ok(Place::new(self, permit))
    }

    pub(super) fn why_closed(&self) -> Status {
        let reason = self.closed.get().cloned();
        reason.unwrap_or_else(|| Status::unavailable("the connection is closed"))
    }

    pub(super) fn close(&self, reason: Status) {
        let _ = self.closed.set(reason);
        self.places.close();
        self.settled.cancel();
    }
}

/// Reads and writes a connection of HTTP/2, and keeps its time; it ends when the connection does.
struct Driver {
    http2: Http2,
    keepalive: Keepalive,
    link: Arc<Link>,
    /// Places that were given, taken ones included.
    places: usize,
    /// Others had their turn before this one.
    yielded: bool,
}

impl Driver {
    fn poll_end(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        if let Poll::Ready(result) = Pin::new(&mut self.http2).poll(cx) {
            return Poll::Ready(match result {
                Err(error) => Err(self.broken(error)),
                Ok(()) if self.link.settled.is_cancelled() => Ok(()),
                Ok(()) => Err(Status::unavailable(format!(
                    "the peer closed the connection before it introduced itself: {}",
                    self.doubt()
                ))),
            });
        }
        let has_calls = self.link.calls.load(Ordering::Relaxed) > 0;
        if let Poll::Ready(silent) = self.keepalive.poll_silent(cx, has_calls) {
            return Poll::Ready(Err(silent));
        }
        if self.keepalive.is_answered() && !self.link.settled.is_cancelled() {
            self.link.settled.cancel();
        }
        if self.link.settled.is_cancelled() {
            self.give_places();
        }
        Poll::Pending
    }

    /// Gives as many places as the peer does now, up to our own limit.
    fn give_places(&mut self) {
        let own = usize::try_from(self.link.config.limits.max_calls).unwrap_or(usize::MAX);
        let wanted = self.http2.max_concurrent_send_streams().min(own);
        let wanted = wanted.min(Semaphore::MAX_PERMITS);
        if wanted > self.places {
            self.link.places.add_permits(wanted - self.places);
            self.places = wanted;
        } else if wanted < self.places {
            // Those that are taken are taken back when they are free again.
            self.places -= self.link.places.forget_permits(self.places - wanted);
        }
    }

    fn broken(&self, error: h2::Error) -> Status {
        let doubt = self.doubt();
        let text = if self.link.settled.is_cancelled() {
            "the connection broke".to_owned()
        } else if error.is_io() {
            format!("the connection broke before the peer introduced itself: {doubt}")
        } else {
            format!("the peer does not speak HTTP/2: {doubt}")
        };
        Status::unavailable(text).with_source(error)
    }

    fn doubt(&self) -> String {
        let server = &self.link.server;
        let name = server.spoken.name();
        match server.over_http1() {
            Some(url) => format!("is it a {name} server? (one without HTTP/2: `{url}`)"),
            None => format!("is it a {name} server?"),
        }
    }
}

impl Future for Driver {
    /// Why the connection ended, if not in peace.
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        // The first of many callers wakes this; the others have their turn first, so that one write
        // is for all of them.
        self.yielded = !self.yielded && self.link.calls.load(Ordering::Relaxed) > 1;
        if self.yielded {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let result = std::task::ready!(self.poll_end(cx));
        let closed = Status::unavailable("the peer closed the connection");
        self.link.close(result.clone().err().unwrap_or(closed));
        Poll::Ready(result)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.link
            .close(Status::unavailable("the connection was closed"));
    }
}

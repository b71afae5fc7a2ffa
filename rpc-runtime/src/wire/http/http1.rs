//! HTTP/1.1, for `curl` and browsers.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::chunks::Chunks;
use super::head_time::HeadTime;
use super::host;
use super::prefixed::Prefixed;
use super::reply_body::HttpBody;
use super::respond::{plain, respond};
use super::server::Connection;
use super::stalled::Stalled;
use crate::call::Cancellation;
use crate::status::Status;
use crate::wire::first_poll::{has_reached_handler, poll_through, poll_to_handler};
use crate::wire::pace::{InPlace, Pace};

/// What hyper reads ahead at least; a head takes no more than this and the metadata.
pub(super) const HEAD: usize = 8 << 10;

/// How long a connection may be without a request, unless it is set: nobody can be pinged, so that one
/// that is silent cannot be told from one whose peer is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: Arc<Connection>,
    io: Prefixed,
    drained: Cancellation,
) -> Result<(), Status> {
    let config = &connection.config;
    let mut builder = http1::Builder::new();
    builder
        // It would count from the end of the answer before.
        .header_read_timeout(None)
        .max_buf_size(HEAD + config.limits.max_metadata);
    let handle = Arc::clone(&connection);
    let pace = Arc::<Mutex<Pace>>::default();
    let service = service_fn(move |request: Request<Incoming>| {
        let (connection, pace) = (Arc::clone(&handle), Arc::clone(&pace));
        async move {
            let budget = Arc::clone(&connection.budget);
            if !host::is_named_once(&request) {
                let text = "a request of HTTP/1.1 has one header `Host`";
                let refused = plain(StatusCode::BAD_REQUEST, text);
                return Ok::<_, Infallible>(HttpBody::counted(refused, budget, None));
            }
            let mut responding = respond(&connection, request.map(Chunks::Http1));
            let mut answering = Pin::new(&mut responding);
            let mut beginning = Some(Beginning::new(pace));
            let answered = poll_fn(|cx| match &mut beginning {
                Some(begins) => {
                    let polled = begins.poll(answering.as_mut(), cx);
                    if begins.is_over {
                        beginning = None;
                    }
                    polled
                }
                None => answering.as_mut().poll(cx),
            });
            let response = answered.await;
            let open = responding.into_open();
            let response = HttpBody::counted(response, budget, Some(open));
            Ok(response)
        }
    });
    let io = Stalled::new(io, config.keepalive_timeout, config.limits.message_timeout)
        .with_heads(HeadTime::new(Arc::clone(&connection)));
    let serving = builder.serve_connection(TokioIo::new(io), service);
    #[cfg(feature = "websocket")]
    let serving = serving.with_upgrades();
    let mut serving = pin!(serving);
    tokio::select! {
        biased;
        ended = serving.as_mut() => ended.map_err(broken)?,
        () = drained_or_idle(&connection, &drained) => {
            serving.as_mut().graceful_shutdown();
            serving.await.map_err(broken)?;
        }
    }
    #[cfg(feature = "websocket")]
    super::upgrade::serve(&connection).await?;
    Ok(())
}

/// A request until its handler runs. Where handlers are slow, those of other connections come before this
/// one, so that layers decide of each before the threads are taken.
struct Beginning {
    /// Of this connection, which has one request at a time.
    pace: Arc<Mutex<Pace>>,
    is_quick: bool,
    is_over: bool,
}

impl Beginning {
    fn new(pace: Arc<Mutex<Pace>>) -> Self {
        let is_quick = lock(&pace).is_quick();
        Self {
            pace,
            is_quick,
            is_over: false,
        }
    }

    fn poll<F: Future>(
        &mut self,
        responding: Pin<&mut F>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<F::Output> {
        let mut turns = InPlace::default();
        let polled = if self.is_quick && turns.begin() {
            // No handler runs under the lock.
            let mut pace = std::mem::take(&mut *lock(&self.pace));
            let polled = poll_through(responding, cx, &mut pace, &mut turns);
            *lock(&self.pace) = pace;
            polled
        } else {
            poll_to_handler(responding, cx, &mut turns)
        };
        self.is_over = has_reached_handler();
        polled
    }
}

fn lock(pace: &Mutex<Pace>) -> MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drained_or_idle(connection: &Arc<Connection>, drained: &Cancellation) {
    tokio::select! {
        biased;
        () = drained.cancelled() => {}
        () = connection.idle(Some(SILENCE)) => {}
    }
}

fn broken(error: hyper::Error) -> Status {
    Status::unavailable("the HTTP/1.1 connection broke").with_source(error)
}

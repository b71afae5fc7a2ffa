//! HTTP/1.1, for `curl` and browsers.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::chunks::Chunks;
use super::prefixed::Prefixed;
use super::reply_body::HttpBody;
use super::respond::respond;
use super::server::Connection;
use super::stalled::Stalled;
use crate::call::Cancellation;
use crate::status::Status;

/// What hyper reads ahead at least; a head takes no more than this and the metadata.
pub(super) const HEAD: usize = 8 << 10;

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: Arc<Connection>,
    io: Prefixed,
    drained: Cancellation,
) -> Result<(), Status> {
    let config = &connection.config;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.frame_timeout)
        .max_buf_size(HEAD + config.limits.max_metadata);
    let handle = Arc::clone(&connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let connection = Arc::clone(&handle);
        async move {
            let budget = Arc::clone(&connection.budget);
            let response = respond(connection, request.map(Chunks::Http1)).await;
            let response = HttpBody::counted(response, budget);
            Ok::<_, Infallible>(response)
        }
    });
    let io = Stalled::new(io, config.keepalive_timeout, config.limits.message_timeout);
    let serving = builder.serve_connection(TokioIo::new(io), service);
    #[cfg(feature = "websocket")]
    let serving = serving.with_upgrades();
    let mut serving = pin!(serving);
    tokio::select! {
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

async fn drained_or_idle(connection: &Arc<Connection>, drained: &Cancellation) {
    tokio::select! {
        () = drained.cancelled() => {}
        () = connection.idle() => {}
    }
}

fn broken(error: hyper::Error) -> Status {
    Status::unavailable("the HTTP/1.1 connection broke").with_source(error)
}

//! A server as a part of somebody else's HTTP server.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;

use super::accept::{Accepting, ShutdownHandle};
use super::server::Server;
use crate::service::BoxFuture;
pub use crate::wire::http::HttpBody;
use crate::wire::http::Mount;

/// A server as a tower service over HTTP requests: it answers what a [`Server`] answers over HTTP,
/// in an axum application or behind hyper, next to other routes and within layers such as
/// tower-http's. Made by [`Server::into_http_service`]; a clone answers for the same server.
///
/// gRPC needs HTTP/2 of its host, which a client of `http://` URLs begins without asking.
///
/// # What the host owns
///
/// - Listening, TLS, and who is on the other side. A [`SocketAddr`](std::net::SocketAddr) among the
///   extensions of a request is what [`Context::peer`](crate::Context::peer) then says; every
///   extension of a request is one of its [context](crate::Context::extension).
/// - Connections: how many there are, handshakes, keepalive, idle ones, windows of HTTP/2, and the
///   size of headers before they are metadata. The limits of messages, calls and of all that is
///   buffered (`max_buffered_total`) stay as they are set on the server, and count answers that wait
///   to be read; `max_buffered` and `max_connections` need connections, and bound nothing here.
/// - Time, as far as it needs a connection: the deadline of a call ends its handler, but an answer
///   whose client takes nothing is kept until the host ends the connection.
/// - The end: see [`shutdown_handle`](Self::shutdown_handle).
///
/// # Examples
///
/// ```
/// use rpc_runtime::{Channel, Server};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let calls = Server::new()
///     .function("hello", |name: String| async move { format!("Hello, {name}!") })
///     .into_http_service();
/// let app = axum::Router::new()
///     .route("/", axum::routing::get(|| async { "home" }))
///     .fallback_service(calls);
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("grpc://{}", listener.local_addr()?);
/// tokio::spawn(async move { axum::serve(listener, app).await });
///
/// let channel = Channel::connect(&url).await?;
/// assert_eq!(channel.call::<_, String>("hello", ("Alice",)).await?, "Hello, Alice!");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HttpService {
    mount: Mount,
    accepting: Arc<Accepting>,
}

impl Server {
    /// Makes a part of somebody else's HTTP server of this one: see [`HttpService`]. What belongs to
    /// a listener or to connections is not used: addresses, TLS, keepalive and timeouts, and of the wires
    /// only whether JSON-RPC may be [in a request](crate::Wire::Http).
    pub fn into_http_service(mut self) -> HttpService {
        // There is nobody here to wait, and connections are the host's.
        self = self.drain_delay(Duration::ZERO);
        let accepting = Arc::new(self.into_accepting());
        HttpService {
            mount: Mount::new(
                accepting.wires,
                Arc::clone(&accepting.config),
                accepting.served.clone(),
            ),
            accepting,
        }
    }
}

impl HttpService {
    /// Returns a handle for the end of the host. Its `shutdown` lets health checks say that the
    /// server ends, which should come before the host stops accepting connections; `running_calls`
    /// says what is left to finish. Calls are not refused: that is the host's to do.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.accepting))
    }
}

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<HttpBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<HttpBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.mount.answer(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpService")
            .field(&self.shutdown_handle())
            .finish()
    }
}

//! A byte stream that was connected becomes a connection of the wire that its URL names.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use super::config::{Config, Served};
#[cfg(all(feature = "http", feature = "jsonrpc"))]
use super::http::JsonRpcConnection;
#[cfg(feature = "http")]
use super::http::{HttpConnection, HttpServer};
#[cfg(feature = "jsonrpc")]
use super::jsonrpc;
use super::native;
#[cfg(feature = "websocket")]
use super::websocket;
use crate::call::{Request, Response};
use crate::service::BoxFuture;
use crate::status::Status;
use crate::transport::Io;

/// What a client speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ClientWire {
    Native,
    /// gRPC, gRPC-Web or Connect.
    #[cfg(feature = "http")]
    Http(HttpServer),
    /// The native wire inside of WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket(websocket::Target),
    #[cfg(feature = "jsonrpc")]
    Json(jsonrpc::Server),
}

/// A handle to begin calls with.
pub(crate) enum Connection {
    Native(native::Connection),
    #[cfg(feature = "http")]
    Http(HttpConnection),
    #[cfg(feature = "jsonrpc")]
    Json(jsonrpc::Connection),
    #[cfg(all(feature = "http", feature = "jsonrpc"))]
    JsonOverHttp(JsonRpcConnection),
}

/// Says whether a call that failed like this on a connection that
/// [may end when idle](Connection::may_end_when_idle) can be made on another.
#[cfg_attr(
    not(all(feature = "http", feature = "jsonrpc")),
    allow(unused_variables)
)]
pub(crate) fn may_go_again(status: &Status, is_idempotent: bool) -> bool {
    #[cfg(all(feature = "http", feature = "jsonrpc"))]
    {
        super::http::json_rpc_may_go_again(status, is_idempotent)
    }
    #[cfg(not(all(feature = "http", feature = "jsonrpc")))]
    {
        false
    }
}

/// A place for a call on a connection that has few; free again when this is dropped.
pub(crate) enum Place {
    #[cfg(feature = "http")]
    Http(super::http::HttpPlace),
    #[cfg(all(feature = "http", feature = "jsonrpc"))]
    JsonOverHttp(super::http::JsonRpcPlace),
}

impl ClientWire {
    /// How errors name a server whose URL says more than where it is.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Native => None,
            #[cfg(feature = "http")]
            Self::Http(server) => Some(server.to_string()),
            #[cfg(feature = "websocket")]
            Self::WebSocket(target) => Some(target.to_string()),
            #[cfg(feature = "jsonrpc")]
            Self::Json(server) => Some(server.url.clone()),
        }
    }

    /// What this wire may be called in ALPN, the preferred name first; nothing if it has no name
    /// there.
    #[cfg(feature = "tls")]
    pub(crate) fn alpn(&self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Native => &[native::ALPN],
            #[cfg(feature = "http")]
            Self::Http(server) => server.alpn(),
            #[cfg(feature = "websocket")]
            Self::WebSocket(_) => &[super::http::ALPN_HTTP1],
            #[cfg(feature = "jsonrpc")]
            Self::Json(server) => server.alpn(),
        };
        names.iter().map(|it| it.to_vec()).collect()
    }

    /// Makes a connection of a byte stream, and waits until the peer has introduced itself.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer.
    pub(crate) async fn connect(
        &self,
        io: Io,
        config: Arc<Config>,
        served: Option<Served>,
    ) -> Result<Connection, Status> {
        match self {
            Self::Native => connect_native(io, config, served).await,
            #[cfg(feature = "websocket")]
            Self::WebSocket(target) => {
                let io = websocket::open(io, target).await?;
                connect_native(io, config, served).await
            }
            #[cfg(feature = "http")]
            Self::Http(server) => {
                if served.is_some() {
                    let text = "a server cannot call back over HTTP: leave out `Connect::serve`";
                    return Err(Status::invalid_argument(text));
                }
                let opened = HttpConnection::open(io, config, server.clone()).await;
                let (connection, driver) = opened?;
                tokio::spawn(log_end(driver));
                connection.introduced().await?;
                Ok(Connection::Http(connection))
            }
            #[cfg(feature = "jsonrpc")]
            Self::Json(server) => {
                if served.is_some() {
                    let text = "a server cannot call back in JSON: leave out `Connect::serve`";
                    return Err(Status::invalid_argument(text));
                }
                connect_json(io, config, server).await
            }
        }
    }
}

async fn connect_native(
    io: Io,
    config: Arc<Config>,
    served: Option<Served>,
) -> Result<Connection, Status> {
    let role = native::Role::Connected;
    let (connection, driver) = native::open(io, role, config, served, BytesMut::new());
    tokio::spawn(log_end(driver));
    connection.introduced().await?;
    Ok(Connection::Native(connection))
}

/// Makes a connection of what carries texts of JSON.
#[cfg(feature = "jsonrpc")]
async fn connect_json(
    io: Io,
    config: Arc<Config>,
    server: &jsonrpc::Server,
) -> Result<Connection, Status> {
    let io = match &server.carrier {
        jsonrpc::Carrier::Bytes => io,
        #[cfg(feature = "websocket")]
        jsonrpc::Carrier::WebSocket(target) => websocket::open_lines(io, target, &config).await?,
        #[cfg(feature = "http")]
        jsonrpc::Carrier::Http(url) => {
            let opened = JsonRpcConnection::open(io, url, config).await?;
            let (connection, driver) = opened;
            tokio::spawn(log_end(driver));
            return Ok(Connection::JsonOverHttp(connection));
        }
    };
    let (connection, driver) = jsonrpc::Connection::open(io, server.dialect, config);
    tokio::spawn(log_end(driver));
    Ok(Connection::Json(connection))
}

async fn log_end(driver: impl Future<Output = Result<(), Status>>) {
    if let Err(reason) = driver.await {
        tracing::debug!(%reason, "a connection ended");
    }
}

impl Connection {
    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Native(connection) => connection.is_open(),
            #[cfg(feature = "http")]
            Self::Http(connection) => connection.is_open(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection) => connection.is_open(),
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            Self::JsonOverHttp(connection) => connection.is_open(),
        }
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        match self {
            Self::Native(connection) => connection.calls(),
            #[cfg(feature = "http")]
            Self::Http(connection) => connection.calls(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection) => connection.calls(),
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            Self::JsonOverHttp(connection) => connection.calls(),
        }
    }

    /// Begins a call; gives the request back if another connection could take it now and this one
    /// cannot. One of the native wire waits by itself: there is only one to an address.
    #[allow(clippy::result_large_err, reason = "the request is what is given back")]
    pub(crate) fn try_start(
        &self,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response, Status>>, Request> {
        match self {
            Self::Native(connection) => Ok(connection.start(request)),
            #[cfg(feature = "http")]
            Self::Http(connection) => match connection.take_place() {
                Some(place) => Ok(connection.start(request, place)),
                None => Err(request),
            },
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection) => Ok(connection.start(request)),
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            Self::JsonOverHttp(connection) => match connection.take_place() {
                Some(place) => Ok(connection.start(request, place)),
                None => Err(request),
            },
        }
    }

    /// Says whether the server may close it under a call, as servers of HTTP/1.1 do with idle ones.
    pub(crate) fn may_end_when_idle(&self) -> bool {
        #[cfg(all(feature = "http", feature = "jsonrpc"))]
        {
            matches!(self, Self::JsonOverHttp(_))
        }
        #[cfg(not(all(feature = "http", feature = "jsonrpc")))]
        {
            false
        }
    }

    /// Waits for a place for a call, no longer than until `end`.
    #[cfg_attr(not(feature = "http"), allow(unused_variables))]
    pub(crate) async fn place(&self, end: Option<Instant>) -> Result<Place, Status> {
        match self {
            // They always take the calls that are begun on them.
            Self::Native(_) => std::future::pending().await,
            #[cfg(feature = "jsonrpc")]
            Self::Json(_) => std::future::pending().await,
            #[cfg(feature = "http")]
            Self::Http(connection) => connection.place(end).await.map(Place::Http),
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            Self::JsonOverHttp(connection) => connection.place(end).await.map(Place::JsonOverHttp),
        }
    }

    /// Begins a call at a place of this connection.
    pub(crate) fn start_at(
        &self,
        place: Place,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        match (self, place) {
            (Self::Native(connection), _) => connection.start(request),
            #[cfg(feature = "jsonrpc")]
            (Self::Json(connection), _) => connection.start(request),
            #[cfg(feature = "http")]
            (Self::Http(connection), Place::Http(place)) => connection.start(request, place),
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            (Self::JsonOverHttp(connection), Place::JsonOverHttp(place)) => {
                connection.start(request, place)
            }
            // A place is of the connection that gave it.
            #[cfg(all(feature = "http", feature = "jsonrpc"))]
            (Self::Http(_), _) | (Self::JsonOverHttp(_), _) => {
                let status = Status::internal("the place is of another connection");
                Box::pin(std::future::ready(Err(status)))
            }
        }
    }
}

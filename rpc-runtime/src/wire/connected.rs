//! A byte stream that was connected becomes a connection of the wire that its URL names.

use std::error::Error;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use super::config::{Config, Served};
#[cfg(feature = "http")]
use super::http::{HttpConnection, HttpServer};
#[cfg(feature = "jsonrpc")]
use super::jsonrpc;
use super::native;
#[cfg(any(feature = "http", feature = "jsonrpc"))]
use super::proof::Proof;
#[cfg(feature = "websocket")]
use super::websocket;
use crate::call::{Request, Response};
use crate::service::BoxFuture;
use crate::status::Status;
use crate::transport::{Address, Io};

/// What a client speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ClientWire {
    Native,
    /// gRPC, gRPC-Web, Connect, or JSON-RPC.
    #[cfg(feature = "http")]
    Http(HttpServer),
    /// The native wire or JSON-RPC, inside of WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket(websocket::Target),
    #[cfg(feature = "jsonrpc")]
    Json(jsonrpc::Server),
}

/// A handle to begin calls with.
pub(crate) enum Connection {
    Native(native::Connection),
    #[cfg(feature = "http")]
    Http(HttpConnection, Proof),
    #[cfg(feature = "jsonrpc")]
    Json(jsonrpc::Connection, Proof),
}

/// Says whether a call that failed like this on a connection that
/// [may end when idle](Connection::may_end_when_idle) can be made on another.
#[cfg_attr(not(feature = "http"), allow(unused_variables))]
pub(crate) fn may_go_again(status: &Status, is_idempotent: bool) -> bool {
    #[cfg(feature = "http")]
    let may = super::http::http_may_go_again(status, is_idempotent);
    #[cfg(not(feature = "http"))]
    let may = false;
    may
}

/// A place for a call on a connection that has few; free again when this is dropped.
pub(crate) enum Place {
    #[cfg(feature = "http")]
    Http(super::http::HttpPlace),
}

impl ClientWire {
    /// Reads a URL: what is spoken, and where.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(url: &str) -> Result<(Self, Address), Box<dyn Error + Send + Sync>> {
        #[cfg(feature = "websocket")]
        if let Some(parsed) = websocket::Target::parse(url) {
            return parsed.map(|(target, address)| (Self::WebSocket(target), address));
        }
        #[cfg(feature = "http")]
        if let Some(parsed) = HttpServer::parse(url) {
            return parsed.map(|(server, address)| (Self::Http(server), address));
        }
        #[cfg(feature = "jsonrpc")]
        if let Some(parsed) = jsonrpc::Server::parse(url) {
            return parsed.map(|(server, address)| (Self::Json(server), address));
        }
        Ok((Self::Native, url.parse()?))
    }

    /// Makes the byte stream over which this wire is spoken.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer.
    pub(crate) async fn open(&self, io: Io) -> Result<Io, Status> {
        #[cfg(feature = "websocket")]
        if let Self::WebSocket(target) = self {
            return websocket::open(io, target).await;
        }
        Ok(io)
    }

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
            Self::Json(_) => &[],
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
        if served.is_some() && !self.is_native() {
            let text =
                "only over the native wire can a server call back: leave out `Connect::serve`";
            return Err(Status::invalid_argument(text));
        }
        match self {
            Self::Native => connect_native(io, config, served).await,
            #[cfg(feature = "websocket")]
            Self::WebSocket(target) => match target.spoken {
                websocket::Subprotocol::Native => {
                    connect_native(self.open(io).await?, config, served).await
                }
                #[cfg(feature = "jsonrpc")]
                websocket::Subprotocol::JsonRpc => {
                    let io = websocket::open_lines(io, target, &config).await?;
                    Ok(connect_json(io, config, jsonrpc::Dialect::JSON_RPC))
                }
                #[cfg(not(feature = "jsonrpc"))]
                websocket::Subprotocol::JsonRpc => {
                    Err(Status::unimplemented("JSON-RPC is not built in"))
                }
            },
            #[cfg(feature = "http")]
            Self::Http(server) => {
                let opened = HttpConnection::open(io, config, server.clone()).await;
                let (connection, driver) = opened?;
                tokio::spawn(log_end(driver));
                connection.introduced().await?;
                Ok(Connection::Http(connection, Proof::default()))
            }
            #[cfg(feature = "jsonrpc")]
            Self::Json(server) => Ok(connect_json(io, config, server.dialect)),
        }
    }

    fn is_native(&self) -> bool {
        match self {
            Self::Native => true,
            #[cfg(feature = "websocket")]
            Self::WebSocket(target) => target.spoken == websocket::Subprotocol::Native,
            #[cfg(any(feature = "http", feature = "jsonrpc"))]
            _ => false,
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
fn connect_json(io: Io, config: Arc<Config>, dialect: &'static jsonrpc::Dialect) -> Connection {
    let (connection, driver) = jsonrpc::Connection::open(io, dialect, config);
    tokio::spawn(log_end(driver));
    Connection::Json(connection, Proof::default())
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
            Self::Http(connection, _) => connection.is_open(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection, _) => connection.is_open(),
        }
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        match self {
            Self::Native(connection) => connection.calls(),
            #[cfg(feature = "http")]
            Self::Http(connection, _) => connection.calls(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection, _) => connection.calls(),
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
            Self::Http(connection, proof) => match connection.take_place() {
                Some(place) => Ok(proof.by(connection.start(request, place))),
                None => Err(request),
            },
            #[cfg(feature = "jsonrpc")]
            Self::Json(connection, proof) => Ok(proof.by(connection.start(request))),
        }
    }

    /// Says whether the server may close it under a call, as servers of HTTP/1.1 do with idle ones.
    pub(crate) fn may_end_when_idle(&self) -> bool {
        match self {
            #[cfg(feature = "http")]
            Self::Http(connection, _) => connection.may_end_when_idle(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(..) => false,
            Self::Native(_) => false,
        }
    }

    /// Says whether the peer has shown that it serves calls, by introducing itself or by an answer.
    pub(crate) fn has_answered(&self) -> bool {
        match self {
            Self::Native(_) => true,
            #[cfg(feature = "http")]
            Self::Http(connection, proof) => !connection.may_end_when_idle() || proof.is_given(),
            #[cfg(feature = "jsonrpc")]
            Self::Json(_, proof) => proof.is_given(),
        }
    }

    /// Waits for a place for a call, no longer than until `end`.
    #[cfg_attr(not(feature = "http"), allow(unused_variables))]
    pub(crate) async fn place(&self, end: Option<Instant>) -> Result<Place, Status> {
        match self {
            // They always take the calls that are begun on them.
            Self::Native(_) => std::future::pending().await,
            #[cfg(feature = "jsonrpc")]
            Self::Json(..) => std::future::pending().await,
            #[cfg(feature = "http")]
            Self::Http(connection, _) => connection.place(end).await.map(Place::Http),
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
            (Self::Json(connection, proof), _) => proof.by(connection.start(request)),
            #[cfg(feature = "http")]
            (Self::Http(connection, proof), Place::Http(place)) => {
                proof.by(connection.start(request, place))
            }
        }
    }
}

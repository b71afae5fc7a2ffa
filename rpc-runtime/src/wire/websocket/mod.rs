//! WebSocket (RFC 6455), as a carrier of other wires.
//!
//! A connection begins as an HTTP/1.1 request, which [`wire::http`](super::http) reads.
//! [`accept`] answers it and [`connect`] makes it; both agree on what is spoken inside, by the name
//! of a [`Subprotocol`]. Then [`frame`] and [`decoder`] read and write without I/O, [`socket`] is the
//! connection, [`byte_stream`] makes of it what the native wire speaks over, and [`lines`], over
//! [`messages`], what JSON-RPC does.

mod accept;
#[cfg(all(test, feature = "jsonrpc"))]
mod autobahn_tests;
mod byte_stream;
#[cfg_attr(
    not(feature = "jsonrpc"),
    allow(dead_code, reason = "messages have it")
)]
mod close;
mod connect;
mod decoder;
#[cfg(feature = "jsonrpc")]
mod deflate;
mod extension;
mod frame;
mod handshake;
#[cfg(feature = "jsonrpc")]
mod lines;
mod mask;
#[cfg(feature = "jsonrpc")]
mod messages;
mod origin;
mod serve;
#[cfg_attr(
    not(feature = "jsonrpc"),
    allow(dead_code, reason = "messages have it")
)]
mod socket;
#[cfg(feature = "jsonrpc")]
mod utf8;

pub(crate) use accept::{Accepted, Refused, accept, is_upgrade};
pub(crate) use byte_stream::ByteStream;
#[cfg(feature = "jsonrpc")]
pub(crate) use connect::open_lines;
pub(crate) use connect::{Target, open};
pub(crate) use handshake::Subprotocol;
pub(crate) use serve::serve;

/// Which side of the connection this is: a client masks what it sends, and a server does not (RFC
/// 6455, section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a server is set to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Settings {
    /// Origins of pages that may connect, beside those of this very host.
    pub(crate) origins: Vec<String>,
    /// Pages of every origin may connect.
    pub(crate) any_origin: bool,
    /// Messages are compressed for clients that can.
    pub(crate) compresses: bool,
}

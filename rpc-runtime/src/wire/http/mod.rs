//! HTTP/1.1 and HTTP/2: gRPC, gRPC-Web, Connect, and JSON-RPC.
//!
//! [`server`] is an accepted byte stream; [`http2`] and [`http1`] make requests of it and send
//! what is answered. [`respond`] gives each request to its protocol by its content type. A
//! protocol turns it into a [`Request`](crate::Request) and a [`Response`](crate::Response) into a
//! [`ReplyBody`](reply_body::ReplyBody); between the two, [`running`](super::running) keeps the
//! call's time and ends it. [`envelopes`] answers gRPC, gRPC-Web and what streams in Connect,
//! [`connect`] the rest of Connect; [`dialect`] and [`grpc`] are tables. [`client`] is the other
//! side of all of them.

mod backlog;
mod chunks;
mod client;
mod compression;
mod connect;
mod content_type;
mod cors;
mod detect;
mod dialect;
mod envelopes;
mod grpc;
mod gzip;
mod head_time;
mod host;
mod http1;
mod http2;
#[cfg(feature = "jsonrpc")]
mod json_rpc;
mod keepalive;
mod kept_memory;
mod metadata;
#[cfg(feature = "tower")]
mod mounted;
mod peer_url;
mod prefixed;
mod reply_body;
mod respond;
mod sending;
mod server;
mod settings;
mod stalled;
#[cfg(feature = "websocket")]
mod upgrade;
#[cfg(any(feature = "jsonrpc", feature = "websocket"))]
mod web_url;
mod whole_body;

/// The names of HTTP/2 and HTTP/1.1 in ALPN: RFC 9113, section 3.2, and RFC 7301, section 6.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
#[cfg(feature = "tls")]
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

pub(crate) use client::{
    Connection as HttpConnection, Place as HttpPlace, may_go_again as http_may_go_again,
};
pub use cors::Cors;
pub(crate) use detect::detect;
#[cfg(feature = "tower")]
pub(crate) use mounted::Mount;
pub(crate) use peer_url::HttpServer;
#[cfg(feature = "tower")]
pub use reply_body::HttpBody;
pub(crate) use server::serve;
pub(crate) use settings::Settings;
#[cfg(feature = "websocket")]
pub(crate) use web_url::WebUrl;

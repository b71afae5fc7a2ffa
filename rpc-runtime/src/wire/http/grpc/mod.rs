//! gRPC (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
//!
//! [`frame`], [`compression`], [`timeout`], [`status`], [`details`], [`text`] and [`end`] read and
//! write without I/O, [`server`] answers calls: those of every [`Dialect`](super::dialect::Dialect),
//! as gRPC-Web and what streams in Connect have the same envelopes. [`connection`] is one to a server, [`caller`] begins calls on it,
//! [`upload`] and [`download`] are the two directions of such a call; [`request_head`] and [`answer`]
//! have the heads, [`whole_download`] is what does not stream in Connect.

mod answer;
mod caller;
pub(super) mod compression;
mod connection;
pub(super) mod details;
mod download;
mod end;
mod frame;
mod messages;
mod reply_stream;
mod request_head;
mod server;
pub(super) mod status;
mod text;
pub(super) mod timeout;
mod upload;
mod whole_download;

pub(crate) use connection::Connection;
pub(super) use messages::Stopped;
pub(super) use reply_stream::{BATCH, ReplyStream};
pub(super) use server::answer;

/// The header of a caller whose first message is the arguments beside its stream, for servers that
/// pass the call on and do not know the method.
const HEAD: http::HeaderName = http::HeaderName::from_static("rpc-head");

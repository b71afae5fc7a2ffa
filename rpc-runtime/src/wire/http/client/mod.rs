//! Calls of ours over HTTP: gRPC, gRPC-Web, Connect, and JSON-RPC.
//!
//! [`connection`] is one to a server, over HTTP/2 ([`handle`]) or [`http1`]; [`caller`] begins calls
//! on it, each an [`open_call`]. [`request_head`] and [`reply_head`] are the heads; [`upload`],
//! over HTTP/1.1 [`request_body`], and [`download`] are the two directions of what has envelopes,
//! [`whole_download`] is the answer that is one message.

mod caller;
mod connection;
mod download;
mod handle;
mod http1;
mod open_call;
mod reply_head;
mod request_body;
mod request_head;
mod upload;
mod whole_download;

pub(crate) use connection::{Connection, Place};
pub(crate) use http1::may_go_again;

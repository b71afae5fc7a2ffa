//! Calls of ours over HTTP: gRPC, gRPC-Web and Connect.
//!
//! [`connection`] is one to a server, [`caller`] begins calls on it. [`request_head`] and
//! [`reply_head`] are the heads; [`upload`] and [`download`] are the two directions of what has
//! envelopes, [`whole_download`] is the answer that is one message.

mod caller;
mod connection;
mod download;
mod handle;
mod reply_head;
mod request_head;
mod upload;
mod whole_download;

pub(crate) use connection::{Connection, Place};

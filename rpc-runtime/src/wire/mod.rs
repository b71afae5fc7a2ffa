//! Wires: bytes to requests and responses, and back.
//!
//! A wire is a folder, and what it has in common with the others is here: [`accepted`] gives an
//! accepted byte stream to the wire that its first bytes belong to, [`connected`] makes a connection
//! of one that the URL names, [`config`] says what all of
//! them are set to and serve.

mod accepted;
pub(crate) mod budget;
mod catch_panic;
pub(crate) mod config;
mod connected;
pub(crate) mod cork;
mod detect;
mod draining;
#[cfg(any(feature = "http", feature = "jsonrpc"))]
mod first_poll;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(any(feature = "http", feature = "jsonrpc"))]
mod incomplete;
#[cfg(feature = "jsonrpc")]
pub(crate) mod jsonrpc;
pub(crate) mod native;
mod pace;
#[cfg(feature = "jsonrpc")]
#[cfg_attr(
    not(feature = "websocket"),
    allow(dead_code, reason = "only WebSocket is such a carrier")
)]
mod progress;
#[cfg(any(feature = "http", feature = "jsonrpc"))]
mod proof;
#[cfg(any(feature = "http", feature = "jsonrpc"))]
mod running;
mod spares;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

pub(crate) use accepted::serve;
pub(crate) use connected::{ClientWire, Connection, Place, may_go_again};
pub use detect::Wire;
pub(crate) use detect::Wires;
pub(crate) use draining::Draining;
#[cfg(feature = "http")]
pub use http::Cors;

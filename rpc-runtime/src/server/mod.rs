//! The serving side: from an implementation of a trait to a listening [`Server`].

mod accept;
mod age;
mod ahead;
mod answer;
mod answers;
mod blocking;
mod boundary;
mod connections;
mod dispatch;
mod function;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "http")]
mod http;
#[cfg(all(feature = "http", feature = "tower"))]
mod http_service;
mod in_process;
mod items;
#[cfg(feature = "jsonrpc")]
mod json_rpc;
mod nearest;
mod on_wire;
mod once;
#[cfg(feature = "jsonrpc")]
mod open_rpc;
#[cfg(feature = "reflection")]
mod reflection;
mod resume;
mod router;
#[cfg(feature = "tls")]
mod secure;
#[allow(
    clippy::module_inception,
    reason = "it is the server that the folder is named for"
)]
mod server;
mod server_call;
mod signals;
mod standard;
mod times;
#[cfg(any(feature = "health", feature = "registry"))]
mod unfold;

pub use accept::{Bound, ShutdownHandle};
pub use blocking::BlockingThreads;
pub use boundary::boxed;
pub use connections::Connections;
pub use dispatch::{Handler, HandlerFuture, MethodHandler};
pub use function::Function;
#[cfg(all(feature = "http", feature = "tower"))]
pub use http_service::{HttpBody, HttpService};
pub use items::Items;
pub use on_wire::{NotOnWire, OnWire};
pub use resume::ReplayLimits;
pub use router::Router;
pub use server::Server;
pub use server_call::ServerCall;
#[cfg(any(feature = "health", feature = "registry"))]
pub(crate) use unfold::Unfold;

//! Layers: what goes around a [`Service`](crate::Service), on either side of a call.
//!
//! A layer turns one service into another, so the same layer serves a client
//! ([`Channel::layer`](crate::Channel::layer)) and a server
//! ([`Router::layer`](crate::Router::layer)). The layer that is put on last is the outermost: it
//! sees a request first and the end of the call last.
//!
//! | layer | side | what it does |
//! |---|---|---|
//! | [`Timeout`] | both | ends a call after some time, streams included |
//! | [`Log`] | both | writes one `tracing` event when a call has ended |
//! | [`ConcurrencyLimit`] | both | lets only so many calls run at once; the others wait or are refused |
//! | [`AdaptiveLimit`] | both | the same, finding the number itself; refuses by priority |
//! | [`Retry`] | client | makes calls again that failed, where that is safe |
//! | [`Hedge`] | client | asks a second server when the first is slow, for read-only methods |
//! | [`BearerAuth`](auth::BearerAuth) | server | asks for a bearer token, gives the call its identity |
//! | [`BearerToken`](auth::BearerToken) | client | sends a bearer token |
//! | `auth::HmacAuth` (feature `hmac`) | server | asks for a signature, gives the call its identity |
//! | `auth::HmacSigner` (feature `hmac`) | client | signs calls |
//! | `TowerLayer` (feature `tower`) | both | any layer of the tower ecosystem |
//! | [`from_fn`](crate::from_fn) | both | an async closure |
//!
//! # Examples
//!
//! ```
//! use rpc_runtime::layer::{ConcurrencyLimit, Log, Timeout};
//! use rpc_runtime::{Channel, Router};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
//! let router = Router::new()
//!     .function("double", |n: i64| async move { n * 2 })
//!     .layer(Timeout::new(Duration::from_secs(5)))
//!     .layer(ConcurrencyLimit::new(100))
//!     .layer(Log::new().side("server"));
//! assert_eq!(Channel::new(router).call::<_, i64>("double", (21,)).await?, 42);
//! # Ok(()) }
//! ```
//!
//! # Writing one
//!
//! A call ends with its body, not with the future of the service: what a layer holds for a call
//! (a permit, a timer, a count) goes to [`Response::on_end`](crate::Response::on_end).

mod adaptive;
pub mod auth;
mod concurrency;
mod hedge;
mod log;
mod retry;
mod timeout;
#[cfg(feature = "tower")]
mod tower;

pub use adaptive::{AdaptiveLimit, AdaptivelyLimited};
pub use concurrency::{ConcurrencyLimit, ConcurrencyLimited};
pub use hedge::{Hedge, HedgeService};
pub use log::{Log, Logged};
pub use retry::{Retry, RetryBudget, RetryService};
pub use timeout::{Timeout, TimeoutService};
#[cfg(feature = "tower")]
pub use tower::{FromTower, IntoTower, TowerLayer};

//! Typed remote procedure calls: a Rust trait is the contract.
//!
//! [`rpc_service`] on a trait generates a typed client and a server. This crate is what both are
//! made of:
//!
//! - [`Server`] and [`Router`] serve implementations of traits, and functions by name;
//! - [`Channel`] is what clients call through: an address, several addresses, or a service in this
//!   process;
//! - [`Call`] and [`ResponseStream`] are calls: builders that are awaited or read;
//! - [`Service`] is the one shape behind all of them, a function from [`Request`] to [`Response`];
//!   layers ([`from_fn`], [`layer`]) make services out of services;
//! - [`Status`] says why a call failed, [`Context`] what a handler knows of its call, [`Limits`]
//!   what a peer may do.
//!
//! # Examples
//!
//! ```
//! use rpc_runtime::{Server, rpc_service};
//!
//! #[rpc_service(name = "greeting.v1.Greeter")]
//! pub trait Greeter {
//!     /// Greets somebody.
//!     async fn greet(&self, name: String) -> String;
//! }
//!
//! struct English;
//!
//! impl Greeter for English {
//!     async fn greet(&self, name: String) -> String {
//!         format!("Hello, {name}!")
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new().add(GreeterServer::new(English)).listen("tcp://127.0.0.1:0").bind().await?;
//! let url = server.url().to_owned();
//! tokio::spawn(server.serve());
//!
//! let greeter = GreeterClient::connect(&url).await?;
//! assert_eq!(greeter.greet("Alice".to_owned()).await?, "Hello, Alice!");
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `macros` | yes | [`rpc_service`] and [`RpcError`](derive@RpcError) |
//! | `postcard` | | the Postcard encoding, for peers that are built together |
//! | `protobuf` | | the codec `Protobuf`, and schemas that `rpc-build` compiled |
//! | `hmac` | | signed requests |
//! | `stdio` | | the `stdio:` transport: child processes as servers |
//! | `tls` | | TLS for every TCP address, with rustls: [`tls`] |
//! | `http` | | gRPC, gRPC-Web and Connect on the same port, server and client |
//! | `jsonrpc` | | JSON-RPC 2.0, the lines of kn-sock and JSON with its length, server and client |
//! | `websocket` | | WebSocket on the same port: `ws://`, and with `jsonrpc` JSON-RPC over it |
//! | `tower` | | services and layers of the tower ecosystem |
//! | `health` | | the standard health check of gRPC: [`health`] |
//! | `reflection` | | server reflection of gRPC: [`Server::reflection`] |
//! | `full` | | all of the above |
//! | `registry` | | servers register, clients find them: [`registry`] |
//! | `registry-redis` | | the same over Redis |
//! | `dns-srv` | | servers by SRV records: `client::DnsSrv` |
//! | `testing` | | a network that misbehaves and a clock that stands still, in [`testing`]: for tests only, and not in `full` |

#![forbid(unsafe_code)]

pub mod call;
pub mod client;
pub mod codec;
mod error;
pub mod layer;
#[cfg(feature = "protobuf")]
pub mod protobuf;
mod pushback;
mod random;
#[cfg(feature = "registry")]
pub mod registry;
pub mod server;
mod service;
mod status;
mod sync;
pub mod testing;
pub mod transport;
mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The crate whose header types metadata is made of.
pub use http;

pub use call::{
    Body, BodyFrame, Cancellation, Context, Identity, IntoStreaming, Limits, Message, Method,
    Reply, Request, Response, RpcError, SlowReader, Streaming, shield,
};
pub use client::{Call, Channel, FallibleCall, FallibleStream, ResponseStream, RpcClient, batch};
pub use codec::Encoding;
pub use error::Error;
/// What the methods that stream return.
pub use futures_core::Stream;
pub use pushback::Pushback;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/rpc_error.md")]
pub use rpc_macros::RpcError;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/rpc_service.md")]
pub use rpc_macros::rpc_service;
#[cfg(feature = "health")]
pub use server::health;
pub use server::{Router, Server};
pub use service::{
    BoxFuture, BoxService, FromFn, FromFnService, Layer, Next, Service, ServiceFn, from_fn,
    service_fn,
};
pub use status::{CallError, Code, Phase, Status};
#[cfg(feature = "tls")]
pub use transport::tls;
#[cfg(feature = "http")]
pub use wire::Cors;
pub use wire::Wire;

/// The tour in the README is compiled and run like every other example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

//! Typed remote procedure calls: a Rust trait is the contract.

#![forbid(unsafe_code)]

pub mod call;
pub mod client;
pub mod codec;
mod error;
pub mod server;
mod service;
mod status;
pub mod transport;
mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use call::{
    Body, BodyFrame, Cancellation, Context, Identity, IntoStreaming, Limits, Message, Method,
    Reply, Request, Response, RpcError, Streaming, shield,
};
pub use client::{Call, Channel, FallibleCall, FallibleStream, ResponseStream, RpcClient};
pub use codec::Encoding;
pub use error::Error;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/rpc_error.md")]
pub use rpc_macros::RpcError;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/rpc_service.md")]
pub use rpc_macros::rpc_service;
pub use server::{Router, Server};
pub use service::{
    BoxFuture, BoxService, FromFn, FromFnService, Layer, Next, Service, ServiceFn, from_fn,
    service_fn,
};
pub use status::{CallError, Code, Phase, Status};

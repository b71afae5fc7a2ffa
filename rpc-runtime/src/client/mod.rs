//! The calling side: a [`Channel`] to call through, and the calls themselves.

mod batch;
mod blocking;
mod call;
mod channel;
mod connect;
mod decode;
mod endpoint;
#[cfg(feature = "http")]
mod http;
mod outgoing;
mod pool;
mod reply_call;
mod response_stream;
mod resume;
#[cfg(feature = "tls")]
mod secured;
mod servers;
mod spawned;
mod stub;
mod target;
mod upload;

pub use batch::{Batch, BatchCall, BatchFuture, Calls, batch};
pub use call::{Call, CallFuture, FallibleCall};
pub use channel::Channel;
pub use connect::Connect;
pub use reply_call::{ReplyCall, ReplyFuture};
pub use response_stream::{Blocking, FallibleStream, ResponseStream};
#[cfg(feature = "dns-srv")]
pub use servers::DnsSrv;
#[cfg(feature = "health")]
pub use servers::HealthCheck;
pub use servers::{Balance, Discover, Dns, Instance, ServerFile};
pub use stub::{Client, RpcClient, StubCall};
#[doc(hidden)]
pub use target::open;
pub use target::{IntoTarget, Target};

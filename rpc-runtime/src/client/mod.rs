//! The calling side: a [`Channel`] to call through, and the calls themselves.

mod batch;
mod blocking;
mod call;
mod channel;
mod connect;
mod endpoint;
mod outgoing;
mod reply_call;
mod response_stream;
mod spawned;
mod stub;
mod upload;

pub use batch::{Batch, BatchCall, BatchFuture, Calls, batch};
pub use call::{Call, CallFuture, FallibleCall};
pub use channel::Channel;
#[doc(hidden)]
pub use connect::open;
pub use connect::{Connect, IntoTarget, Target};
pub use reply_call::{ReplyCall, ReplyFuture};
pub use response_stream::{Blocking, FallibleStream, ResponseStream};
pub use stub::{Client, RpcClient, StubCall};

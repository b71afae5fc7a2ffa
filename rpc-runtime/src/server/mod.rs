//! The serving side: from an implementation of a trait to a listening [`Server`].

mod blocking;
mod boundary;
mod dispatch;
mod function;
mod in_process;
mod items;
mod router;
mod server_call;

pub use blocking::BlockingThreads;
pub use boundary::boxed;
pub use dispatch::{Handler, HandlerFuture, MethodHandler};
pub use function::Function;
pub use items::Items;
pub use router::Router;
pub use server_call::ServerCall;

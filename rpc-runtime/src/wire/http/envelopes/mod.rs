//! Messages in envelopes: all of gRPC and gRPC-Web, and what streams in Connect.
//!
//! [`frame`], [`text`] and [`end`] read and write without I/O; [`messages`] are those of one
//! direction as they come. [`answer`] answers calls, of every [`Dialect`](super::dialect::Dialect),
//! with a [`reply_stream`].

mod answer;
pub(super) mod end;
pub(super) mod frame;
pub(super) mod messages;
mod reply_stream;
mod text;

pub(super) use answer::answer;
pub(super) use reply_stream::{BATCH, ReplyStream};

/// The header of a caller whose first message is the arguments beside its stream, for servers that
/// pass the call on and do not know the method.
pub(super) const HEAD: http::HeaderName = http::HeaderName::from_static("rpc-head");

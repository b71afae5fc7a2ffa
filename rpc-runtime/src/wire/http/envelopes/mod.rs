//! Messages in envelopes: all of gRPC and gRPC-Web, and what streams in Connect.
//!
//! [`frame`], [`encoder`], [`text`] and [`end`] read and write without I/O; [`messages`] are those of one
//! direction as they come. [`answer`] answers calls, of every [`Dialect`](super::dialect::Dialect),
//! with a [`whole_reply`] or a [`reply_stream`]; [`batches`] are the messages of a stream on their way out.

mod answer;
mod batches;
pub(super) mod encoder;
pub(super) mod end;
pub(super) mod frame;
pub(super) mod messages;
mod reply_stream;
mod text;
mod whole_reply;

pub(super) use answer::answer;
pub(super) use batches::{BATCH, Batches};
pub(super) use reply_stream::ReplyStream;
pub(super) use whole_reply::WholeReply;

/// The header of a caller whose first message is the arguments beside its stream, for servers that
/// pass the call on and do not know the method.
pub(super) const HEAD: http::HeaderName = http::HeaderName::from_static("rpc-head");

//! What travels between a client and a server, whatever the wire: a [`Request`] and a
//! [`Response`] with their [`Body`], the [`Context`] of a running call, and the descriptors of
//! services and methods.

mod batch;
mod body;
mod cancellation;
mod connection_info;
mod context;
mod limits;
mod message;
mod metadata;
mod method;
mod method_error;
mod priority;
mod request;
mod response;
mod resume;
mod rope;
mod run;
mod schema;
mod scope;
mod service_descriptor;
mod slow_reader;
mod streaming;

pub use body::{Body, BodyFrame};
pub(crate) use cancellation::Turn;
pub use cancellation::{Cancellation, Cancelled};
pub use connection_info::ConnectionInfo;
pub use context::{Context, Identity};
pub use limits::Limits;
pub(crate) use limits::METADATA_ENTRIES;
pub use message::{IntoMessage, Message, ValueMessage};
pub use metadata::IntoMetadataValue;
pub use method::{Method, MethodDescriptor, MethodKind};
pub use method_error::{ErrorCode, MethodError, NoCode, Returns, RpcError, SerdeError};
pub use priority::Priority;
pub use request::Request;
pub use response::{Reply, Response};
pub use schema::Schema;
pub use scope::{Detached, Shielded, shield};
pub use service_descriptor::{MethodHandle, ServiceDescriptor};
pub use slow_reader::SlowReader;
pub use streaming::{IntoStreaming, Streaming};

pub use batch::Batch;
pub(crate) use batch::{BatchBounds, Filled, Prefix};
pub(crate) use body::Frames;
pub(crate) use message::{ArgsMessage, DynamicArgs, ErrorBody, check_encoding};
pub(crate) use metadata::{BoxError, Metadata, append_metadata};
pub(crate) use method::{EXPECTED_KIND, MethodTable};
#[cfg(feature = "http")]
pub(crate) use request::Compressed;
pub(crate) use request::{CALL_ID, FAR_AHEAD, deadline_after, deadline_in};
pub(crate) use response::Peer;
pub(crate) use resume::{Granted, Kept, MESSAGE_COST, Resume, ResumeIn, ResumeOut, TOKEN_LENGTHS};
pub(crate) use rope::Rope;
pub(crate) use run::Run;
pub(crate) use scope::{Entered, current, enter_blocking_thread, is_blocking_thread};
pub(crate) use slow_reader::SKIPPED;

//! What the expansion of `#[rpc_service]` calls. Not for people: it changes without notice.

pub use crate::call::{
    Context, IntoStreaming, MethodDescriptor, MethodHandle, MethodKind, Priority, Returns,
    RpcError, ServiceDescriptor, Streaming,
};
pub use crate::client::{
    Call, Channel, Client, Connect, FallibleCall, FallibleStream, IntoTarget, ResponseStream,
    RpcClient,
};
#[cfg(feature = "protobuf")]
pub use crate::codec::Protobuf;
pub use crate::codec::Serde;
pub use crate::server::{
    Handler, HandlerFuture, MethodHandler, NotOnWire, OnWire, ServerCall, boxed,
};
pub use crate::service::Service;
pub use crate::status::{Code, Status};
pub use crate::testing::{MockMethod, uploaded};

/// The crates that generated messages name, so that users need not depend on them.
#[cfg(feature = "protobuf")]
pub use ::{buffa, buffa_descriptor, buffa_types, bytes, serde, serde_json};

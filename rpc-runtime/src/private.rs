//! What the expansion of `#[rpc_service]` calls. Not for people: it changes without notice.

pub use crate::call::{
    Context, IntoStreaming, MethodDescriptor, MethodHandle, MethodKind, Returns, RpcError,
    ServiceDescriptor, Streaming,
};
pub use crate::client::{
    Call, Channel, Client, Connect, FallibleCall, FallibleStream, IntoTarget, ResponseStream,
    RpcClient,
};
pub use crate::codec::Serde;
pub use crate::server::{
    Handler, HandlerFuture, MethodHandler, NotOnWire, OnWire, ServerCall, boxed,
};
pub use crate::service::Service;
pub use crate::status::{Code, Status};

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
pub use ::{buffa_descriptor, buffa_types, bytes, serde, serde_json};

/// The same, with functions of ours in the place of some: see [`codec/protobuf/registered.rs`](crate::codec).
#[cfg(feature = "protobuf")]
pub mod buffa {
    pub use ::buffa::*;

    pub mod type_registry {
        pub use crate::codec::protobuf::registered::any_from_json;
        pub use ::buffa::type_registry::*;
    }

    pub mod extension_registry {
        pub use ::buffa::extension_registry::*;

        pub mod helpers {
            pub use crate::codec::protobuf::registered::{
                message_from_json, repeated_message_from_json,
            };
            pub use ::buffa::extension_registry::helpers::*;
        }
    }
}

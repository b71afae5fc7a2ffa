//! What the expansion of `#[rpc_service]` calls. Not for people: it changes without notice.

pub use crate::call::{
    Context, IntoStreaming, MethodDescriptor, MethodHandle, MethodKind, NoCode, Returns, RpcError,
    ServiceDescriptor, Streaming,
};
pub use crate::client::{
    Call, Channel, Client, Connect, FallibleCall, FallibleStream, IntoTarget, ResponseStream,
    RpcClient,
};
pub use crate::codec::Serde;
pub use crate::server::{Handler, HandlerFuture, MethodHandler, ServerCall, boxed};
pub use crate::service::Service;
pub use crate::status::{Code, Status};

/// Answers questions about a type by inherent constants that shadow those of a trait.
///
/// `Probe::<T>::IS_RESULT` is the inherent constant where `T` is a `Result`, and [`NotResult`]'s
/// otherwise; `Probe::<Result<T, E>>::CODE` is that of [`RpcError`] where `E` has it, and
/// [`DefaultCode`]'s otherwise. It works for types that are written out, which is what a macro
/// needs, and needs both traits in scope.
#[derive(Debug)]
pub struct Probe<T>(core::marker::PhantomData<T>);

/// The answer where `T` is not a `Result`.
pub trait NotResult {
    /// Whether the type is a `Result`.
    const IS_RESULT: bool = false;
}

impl<T> NotResult for Probe<T> {}

impl<T, E> Probe<Result<T, E>> {
    /// Whether the type is a `Result`.
    pub const IS_RESULT: bool = true;
}

impl<T, E: RpcError> Probe<Result<T, E>> {
    /// Reads the code of the error.
    pub const CODE: fn(&E) -> Code = E::code;
}

/// The answer where an error has no code of its own, and where there is no error at all: that is
/// said once, by [`Returns`].
pub trait DefaultCode {
    /// Says that there is none.
    const CODE: NoCode = NoCode;
}

impl<T> DefaultCode for Probe<T> {}

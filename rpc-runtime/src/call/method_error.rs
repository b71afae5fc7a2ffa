//! A method's own error: how it becomes a status on one side and an error again on the other.

use std::error::Error as StdError;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::{ErrorBody, ValueMessage};
use crate::codec::{Encodes, SerdeFamily};
#[cfg(feature = "protobuf")]
use crate::codec::{Protobuf, ProtobufMessage};
use crate::status::{CallError, Code, Status};

/// The code of a method's own error, for peers that cannot decode the error itself.
///
/// `#[derive(RpcError)]` implements it from `#[rpc(error_code = …)]`. An error type without it
/// has [`Code::Unknown`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no status code",
    note = "derive `rpc_runtime::RpcError` for it"
)]
pub trait RpcError: StdError {
    /// Returns the code of this error.
    fn code(&self) -> Code;
}

impl<E: RpcError> CallError<E> {
    /// Returns the kind of the failure: that of the method's own error, which
    /// [`#[derive(RpcError)]`](derive@crate::RpcError) gives it, or that of the status.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_runtime::{CallError, Code, RpcError, Status};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcError)]
    /// enum ShopError {
    ///     #[error("there is no {0}")]
    ///     #[rpc(error_code = NotFound)]
    ///     NoSuchItem(String),
    /// }
    ///
    /// let error = CallError::App(ShopError::NoSuchItem("book".to_owned()));
    /// assert_eq!(error.code(), Code::NotFound);
    /// let error = CallError::<ShopError>::Status(Status::unavailable("no connection"));
    /// assert_eq!(error.code(), Code::Unavailable);
    /// ```
    pub fn code(&self) -> Code {
        match self {
            Self::App(error) => error.code(),
            Self::Status(status) => status.code(),
        }
    }
}

/// What a fallible method returns, taken apart by type, so that aliases of `Result` work.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, although its name ends in `Result`",
    label = "a type of this name must be a `Result`",
    note = "what a method returns is told by its name: rename the type, or make it an alias of \
            `Result<T, E>`"
)]
pub trait Returns {
    /// The value.
    type Ok;
    /// The error.
    type Err;

    /// Makes it what it is.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Returns for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Self {
        self
    }
}

/// Where the code of an error comes from: a function, or nowhere.
#[doc(hidden)]
pub trait ErrorCode<E> {
    /// Returns what reads the code of an error.
    fn into_reader(self) -> fn(&E) -> Code;
}

impl<E> ErrorCode<E> for fn(&E) -> Code {
    fn into_reader(self) -> fn(&E) -> Code {
        self
    }
}

/// The errors have no code of their own.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct NoCode;

impl<E> ErrorCode<E> for NoCode {
    fn into_reader(self) -> fn(&E) -> Code {
        |_| Code::Unknown
    }
}

/// An error type that methods may return under the codec `C`.
///
/// It is implemented for [`Status`], under serde for every error type that is `Serialize`,
/// `Deserialize`, `Send`, `Sync` and `'static`, and under `Protobuf` for every protobuf message that
/// is an error type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of an RPC method with the codec `{C}`",
    label = "this error cannot be sent",
    note = "an error crosses the wire: under `Protobuf` as a message that implements \
            `std::error::Error`, under `Serde` as such an error that implements \
            `serde::Serialize` and `serde::Deserialize`",
    note = "or return `rpc_runtime::Status`"
)]
pub trait MethodError<C>: Sized {
    /// What a caller of the method gets: [`Status`], or [`CallError`] of this type.
    type CallError: From<Status>;

    /// Makes what goes to the caller, at the boundary of a handler.
    #[doc(hidden)]
    fn into_status(self, code: fn(&Self) -> Code) -> Status;

    /// Reads what came from the server.
    #[doc(hidden)]
    fn from_status(status: Status) -> Self::CallError;
}

/// An error that serde can send: every error type that is `Serialize`, `Deserialize`, `Send`,
/// `Sync` and `'static`.
///
/// It exists for what the compiler says of a type that is not: one error, and what to write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of an RPC method",
    label = "this error cannot be sent",
    note = "an error crosses the wire, so it needs `std::error::Error`, `serde::Serialize` and \
            `serde::Deserialize`; or return `rpc_runtime::Status`"
)]
pub trait SerdeError: StdError + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: StdError + Serialize + DeserializeOwned + Send + Sync + 'static> SerdeError for E {}

impl<C> MethodError<C> for Status {
    type CallError = Self;

    fn into_status(self, _: fn(&Self) -> Code) -> Self {
        if self.is_remote() && !self.is_forwarded() {
            // Another server's words are not ours to pass on; see the docs of `Status`.
            tracing::warn!(cause = %self, "a handler failed because a call it made failed");
            return Self::internal("the server's own call to another server failed")
                .with_source(self);
        }
        // Of a call that this handler made, maybe; its own call has run.
        self.into_started()
    }

    fn from_status(status: Self) -> Self {
        status
    }
}

impl<C, E> MethodError<C> for E
where
    C: SerdeFamily + Encodes<E>,
    E: SerdeError,
{
    type CallError = CallError<E>;

    fn into_status(self, code: fn(&Self) -> Code) -> Status {
        status_of::<C, E>(self, code)
    }

    fn from_status(status: Status) -> CallError<E> {
        error_in::<C, E>(status)
    }
}

#[cfg(feature = "protobuf")]
impl<E> MethodError<Protobuf> for E
where
    E: StdError + ProtobufMessage + Send + Sync,
{
    type CallError = CallError<E>;

    fn into_status(self, code: fn(&Self) -> Code) -> Status {
        status_of::<Protobuf, E>(self, code)
    }

    fn from_status(status: Status) -> CallError<E> {
        error_in::<Protobuf, E>(status)
    }
}

/// Makes what goes to the caller of a method's own error.
fn status_of<C, E>(error: E, code: fn(&E) -> Code) -> Status
where
    C: Encodes<E>,
    E: StdError + Send + 'static,
{
    let status = Status::new(code(&error), error.to_string());
    status.with_attachment(Arc::new(ErrorBody::new(ValueMessage::<C, E>::wrap(error))))
}

/// Finds the method's own error in what came from the server.
fn error_in<C, E>(status: Status) -> CallError<E>
where
    C: Encodes<E>,
    E: Send + 'static,
{
    let body = status
        .attachment()
        .and_then(|it| it.downcast_ref::<ErrorBody>());
    let Some(message) = body.and_then(ErrorBody::take) else {
        return CallError::Status(status);
    };
    match ValueMessage::<C, E>::unwrap(message) {
        Ok(error) => CallError::App(error),
        // The code and the text are still what the server said, so they stay.
        Err(undecoded) => CallError::Status(status.with_source(undecoded)),
    }
}

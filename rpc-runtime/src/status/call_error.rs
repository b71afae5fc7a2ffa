//! What a call of a method with an error type of its own fails with.

use std::error::Error as StdError;
use std::fmt;

use super::Status;

/// Why a call of a method with an error type of its own failed.
///
/// What the method said and what happened on the way are different things to a caller, so they
/// are different variants: [`App`](Self::App) is the method's own error, whole and typed;
/// [`Status`](Self::Status) is everything else.
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The method ran and returned this error.
    App(E),
    /// The call failed in another way.
    Status(Status),
}

impl<E> CallError<E> {
    /// Returns the method's own error, if that is what it is.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App(error) => Some(error),
            Self::Status(_) => None,
        }
    }

    /// Returns the status, if the failure is not the method's own.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::App(_) => None,
            Self::Status(status) => Some(status),
        }
    }

    /// Returns the method's own error, or the status if the failure is another.
    ///
    /// # Errors
    ///
    /// The status.
    pub fn into_app(self) -> Result<E, Status> {
        match self {
            Self::App(error) => Ok(error),
            Self::Status(status) => Err(status),
        }
    }
}

/// Lets a handler that calls another server use `?`. Like every status of another server it
/// reaches the handler's own caller as [`Code::Internal`](super::Code::Internal), unless it is [forwarded](Status::forward).
impl<E: StdError + Send + Sync + 'static> From<CallError<E>> for Status {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::App(error) => {
                let message = error.to_string();
                Self::unknown(message).with_source(error).into_remote()
            }
            CallError::Status(status) => status,
        }
    }
}

impl<E> From<Status> for CallError<E> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => error.fmt(f),
            Self::Status(status) => status.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for CallError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::App(error) => error.source(),
            Self::Status(status) => status.source(),
        }
    }
}

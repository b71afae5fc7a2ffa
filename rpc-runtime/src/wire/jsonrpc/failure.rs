//! What is wrong with a call, before each dialect says it in its own words.

use crate::status::Status;

/// Why there is no result.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The text is not JSON.
    NoJson,
    /// It is JSON, but no call.
    NoCall,
    /// Nobody serves a method of this name.
    NotFound { method: String },
    /// The call failed.
    Status(Status),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

//! The kind of a failure, and where it happened.

use std::fmt;

/// The kind of a failure.
///
/// The names and numbers are those of gRPC, so that a status means the same on every wire
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>). There is no `Ok`: success is not
/// a [`Status`](super::Status).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Code {
    /// The caller gave the call up.
    Cancelled = 1,
    /// A failure without a better code; the default of a method's own error type.
    Unknown = 2,
    /// The arguments are wrong whatever the state of the server.
    InvalidArgument = 3,
    /// The deadline passed before the call ended.
    DeadlineExceeded = 4,
    /// Something that was asked for does not exist.
    NotFound = 5,
    /// Something that was to be created exists.
    AlreadyExists = 6,
    /// The caller is known and may not do this.
    PermissionDenied = 7,
    /// A limit or a quota is used up.
    ResourceExhausted = 8,
    /// The server is not in the state that the call needs.
    FailedPrecondition = 9,
    /// The call collided with another and may be tried again at a higher level.
    Aborted = 10,
    /// The call went past the valid range.
    OutOfRange = 11,
    /// The server does not have this method, or not in this form.
    Unimplemented = 12,
    /// The server or the library broke its own rules.
    Internal = 13,
    /// The peer cannot be reached, or does not take calls now.
    Unavailable = 14,
    /// Data was lost or damaged.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

/// Every code with its name on the wire, by number.
const CODES: [(Code, &str); 16] = [
    (Code::Cancelled, "cancelled"),
    (Code::Unknown, "unknown"),
    (Code::InvalidArgument, "invalid_argument"),
    (Code::DeadlineExceeded, "deadline_exceeded"),
    (Code::NotFound, "not_found"),
    (Code::AlreadyExists, "already_exists"),
    (Code::PermissionDenied, "permission_denied"),
    (Code::ResourceExhausted, "resource_exhausted"),
    (Code::FailedPrecondition, "failed_precondition"),
    (Code::Aborted, "aborted"),
    (Code::OutOfRange, "out_of_range"),
    (Code::Unimplemented, "unimplemented"),
    (Code::Internal, "internal"),
    (Code::Unavailable, "unavailable"),
    (Code::DataLoss, "data_loss"),
    (Code::Unauthenticated, "unauthenticated"),
];

impl Code {
    /// Returns the code's number, 1 to 16.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the code with this number; a number that nobody assigned is [`Code::Unknown`].
    pub fn from_number(number: u8) -> Self {
        let index = usize::from(number).wrapping_sub(1);
        CODES.get(index).map_or(Self::Unknown, |(code, _)| *code)
    }

    /// Returns the code's name in lower case, such as `not_found`.
    pub fn name(self) -> &'static str {
        let index = usize::from(self.number()) - 1;
        CODES.get(index).map_or("unknown", |(_, name)| name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a call had come when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// No connection could be had.
    Connect,
    /// The request was being encoded, queued or written.
    Send,
    /// The request was out and the reply was awaited.
    Reply,
    /// The reply had come and could not be read.
    Decode,
}

impl Phase {
    /// Returns the phase in lower case, as [`Status`](super::Status) prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Reply => "reply",
            Self::Decode => "decode",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_agree() {
        for (index, (code, name)) in CODES.iter().enumerate() {
            assert_eq!(usize::from(code.number()), index + 1);
            assert_eq!(Code::from_number(code.number()), *code);
            assert_eq!(code.name(), *name);
        }
        assert_eq!(Code::from_number(0), Code::Unknown);
        assert_eq!(Code::from_number(200), Code::Unknown);
    }
}

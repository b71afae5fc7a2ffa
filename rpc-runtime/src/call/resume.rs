//! Streams that a caller goes on with over another connection: what requests and responses say of them.
//!
//! What goes out and what has come are types of their own: a gateway hands requests and responses on as
//! they are, and the word of one connection is not that of the other.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;

/// How long a token may be.
pub(crate) const TOKEN_LENGTHS: RangeInclusive<usize> = 16..=64;

/// What a message costs of its stream's credit beside its length, where credit says what was delivered.
pub(crate) const MESSAGE_COST: u64 = 16;

/// What a caller says of the stream that it asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resume {
    /// It can go on with it over another connection.
    Able,
    /// It goes on with one of which it has received so many items.
    Behind { token: Bytes, received: u64 },
}

/// On a request that goes out.
#[derive(Clone, Debug)]
pub(crate) struct ResumeOut(pub(crate) Resume);

/// On a request that has come.
#[derive(Clone, Debug)]
pub(crate) struct ResumeIn(pub(crate) Resume);

/// On a response that goes out: its stream is kept for its caller to come back to.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) token: Bytes,
    /// How long the caller is waited for.
    pub(crate) wait: Duration,
    /// How many items between those that were received and the first of this response are lost.
    pub(crate) lost: u64,
    /// Where the wire counts the credit that the caller gives back.
    pub(crate) delivered: Arc<AtomicU64>,
}

/// On a response that has come: the same, as its caller was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Granted {
    pub(crate) token: Bytes,
    pub(crate) wait: Duration,
    pub(crate) lost: u64,
}

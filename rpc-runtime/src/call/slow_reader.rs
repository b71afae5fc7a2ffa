//! What becomes of a stream whose reader is slow.

use http::HeaderName;

/// The metadata behind a stream that says how many of its items were left out, if any were.
pub(crate) const SKIPPED: HeaderName = HeaderName::from_static("rpc-skipped");

/// What a method that answers with a stream does when its caller reads more slowly than there are
/// items: see [`Context::slow_reader`](super::Context::slow_reader).
///
/// Items wait at the server once the connection is full and the caller's
/// [`stream_window`](super::Limits::stream_window) is used up; what has left is never taken back.
/// What waits is bounded in number by the policy, and in bytes by half of
/// [`max_buffered`](super::Limits::max_buffered) of its connection and half of
/// [`Server::max_buffered_total`](crate::Server::max_buffered_total), which leaves room for other calls: an
/// item that would go past either counts as one too many. In process it is not encoded, and bounded in
/// number alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum SlowReader {
    /// The stream is not asked for more until there is room. Nothing is lost, and nothing waits.
    #[default]
    Wait,
    /// The stream goes on, and this many items wait, at least one: with a further one the oldest is
    /// left out.
    DropOldest(usize),
    /// The stream goes on, and only its latest item waits.
    KeepLatest,
    /// The stream goes on, and this many items wait, at least one: with a further one the stream ends
    /// behind them, with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
    Close(usize),
}

impl SlowReader {
    /// How many items wait at most; `None` where none does.
    pub(crate) fn places(self) -> Option<usize> {
        match self {
            Self::Wait => None,
            Self::KeepLatest => Some(1),
            Self::DropOldest(items) | Self::Close(items) => Some(items.max(1)),
        }
    }
}

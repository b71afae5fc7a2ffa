//! How much a server keeps for callers who come back.

use std::time::Duration;

use crate::server::Server;

/// How much a server keeps of the streams of methods that are marked `#[rpc(resumable)]`, and for how
/// long, for callers who lost their connection and come back: see [`Server::replay_limits`].
///
/// An item is kept until its caller has taken it, as far as the server is told, which is by half of the
/// caller's [`stream_window`](crate::Limits::stream_window) at a time. With the defaults of both sides all
/// that can be on its way fits, unless single items are larger than half a mebibyte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayLimits {
    pub(super) wait: Duration,
    pub(super) items: usize,
    pub(super) bytes: usize,
    pub(super) bytes_total: usize,
    pub(super) streams: usize,
}

impl ReplayLimits {
    /// Makes the limits of a server for which nobody sets any.
    pub fn new() -> Self {
        Self {
            wait: Duration::from_secs(30),
            items: 16_384,
            bytes: 1 << 20,
            bytes_total: 64 << 20,
            streams: 4_096,
        }
    }

    /// Sets how long a stream waits for its caller to come back; 30 seconds by default. It never waits
    /// longer than until the deadline of its call.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Bounds the items that are kept of one stream; 16,384 by default.
    #[must_use]
    pub fn items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }

    /// Bounds the bytes that are kept of one stream, encoded, with 64 for each item; 1 MiB by default. One
    /// item more may be kept than fits.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Bounds the bytes that are kept of all streams of the server together, counted in the same way; 64
    /// MiB by default.
    #[must_use]
    pub fn bytes_total(mut self, bytes: usize) -> Self {
        self.bytes_total = bytes;
        self
    }

    /// Bounds the streams that are kept at once, whether or not their callers are there; 4,096 by default.
    /// One more is served as if its method were not resumable. One that has ended, and is kept in case that
    /// did not arrive, makes room for another.
    #[must_use]
    pub fn streams(mut self, streams: usize) -> Self {
        self.streams = streams;
        self
    }
}

impl Default for ReplayLimits {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Bounds what is kept of the streams of methods that are marked `#[rpc(resumable)]`, on the native
    /// wire, for callers who lose their connection and come back.
    ///
    /// Such a stream goes on without its caller until as much waits as may; then its method is not asked
    /// for more, so that nothing is lost. While the caller is there the oldest items go instead, which they most
    /// likely have: if not, they are told how many are lost when they come back. A stream whose caller has
    /// not come back in time is cancelled.
    ///
    /// Whoever comes back passes all layers again, and must be [who began the
    /// stream](crate::Identity). They get it also while the server takes the first connection for open: that
    /// one's call ends. A server that shuts down keeps none whose caller is gone, and ends the others shortly before its
    /// [`shutdown_timeout`](Self::shutdown_timeout) is over, with [`Code::Unavailable`](crate::Code::Unavailable).
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_runtime::Server;
    /// use rpc_runtime::server::ReplayLimits;
    /// use std::time::Duration;
    ///
    /// let limits = ReplayLimits::new().wait(Duration::from_secs(120)).bytes_total(1 << 30);
    /// let server = Server::new().replay_limits(limits);
    /// ```
    pub fn replay_limits(mut self, limits: ReplayLimits) -> Self {
        self.replay = limits;
        self
    }
}

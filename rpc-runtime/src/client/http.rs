//! What a client is set to for HTTP.

use super::connect::Connect;
#[cfg(doc)]
use crate::call::Limits;

impl<T> Connect<T> {
    /// Bounds the connections to each gRPC server; 8 by default, at least 1.
    ///
    /// Such a server gives a connection only so many calls at once (`SETTINGS_MAX_CONCURRENT_STREAMS`,
    /// often 100). When there is no place left, a further connection is made, and closed some seconds
    /// after its last call. At this bound calls wait for a place, up to their deadline. HTTP/1.1, and so
    /// JSON-RPC over HTTP, has one call at a time on each connection. Over the native wire there is one connection:
    /// see [`Limits::max_calls`].
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections.max(1);
        self
    }

    /// Compresses what is sent over gRPC and Connect, with gzip; not by default. A server that does not know gzip
    /// fails the calls with [`Code::Unimplemented`](crate::Code::Unimplemented).
    ///
    /// Messages below 256 bytes stay as they are. A call can choose for itself
    /// ([`Call::compressed`](crate::Call::compressed)). Replies that come compressed are always read, and
    /// a server of ours compresses them as the requests were. The native wire does not compress.
    pub fn compress_requests(mut self, is_compressed: bool) -> Self {
        self.config.http.compress_requests = is_compressed;
        self
    }

    /// Calls methods that are `read_only` and do not stream by GET, over Connect, with the request in the
    /// URL: caches between may keep the answer then, as far as its `cache-control` says so. Not by
    /// default, as URLs get into logs.
    ///
    /// A path and query of more than `max_url` bytes is sent as a POST; many servers and caches take
    /// no more than 8,000.
    pub fn connect_get(mut self, max_url: usize) -> Self {
        self.config.http.connect_get = max_url;
        self
    }
}

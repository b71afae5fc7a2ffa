//! What all calls of one connection share.

use std::sync::Arc;

use http::Extensions;

/// What all calls of one connection share: who is on the other side, and values that the server
/// attached when it accepted the connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    peer: Arc<str>,
    extensions: Extensions,
}

impl ConnectionInfo {
    pub(crate) fn new(peer: Arc<str>, extensions: Extensions) -> Self {
        Self { peer, extensions }
    }

    /// Returns the other side as a URL, such as `tcp://192.0.2.7:50412`.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the values that belong to the connection.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}

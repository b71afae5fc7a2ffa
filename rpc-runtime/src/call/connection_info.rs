//! What all calls of one connection share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Extensions;

use super::schema::Schema;

/// What all calls of one connection share: who is on the other side, and values that the server
/// attached when it accepted the connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    peer: Arc<str>,
    extensions: Extensions,
    /// What the peer was built with of the services that are called here.
    schemas: Arc<Mutex<HashMap<&'static str, Schema>>>,
}

impl ConnectionInfo {
    pub(crate) fn new(peer: Arc<str>, extensions: Extensions) -> Self {
        Self {
            peer,
            extensions,
            schemas: Arc::default(),
        }
    }

    /// Returns the other side as a URL, such as `tcp://192.0.2.7:50412`.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the values that belong to the connection.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns the form of a service that the peer calls it in, if it has told.
    pub fn peer_schema(&self, service: &str) -> Option<Schema> {
        let schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.get(service).cloned()
    }

    /// Keeps what the peer told of a service that is served here, which bounds what is kept.
    pub(crate) fn set_peer_schema(&self, service: &'static str, schema: Schema) {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.insert(service, schema);
    }
}

//! What HTTP is set to, on both sides.

use std::time::Duration;

use super::Cors;

/// What a connection of HTTP is set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a server may be silent before it is pinged, which may not happen often.
    pub(crate) keepalive_interval: Duration,
    /// Whether requests go out compressed.
    pub(crate) compress_requests: bool,
    /// How long the URL of a call may be that goes out by GET, over Connect; 0 for none.
    pub(crate) connect_get: usize,
    /// Names of this server that requests from the same machine may give.
    pub(crate) hosts: Vec<String>,
    /// Which pages of other sites may call.
    pub(crate) cors: Option<Cors>,
    /// Where requests of JSON-RPC go.
    #[cfg(feature = "jsonrpc")]
    pub(crate) json_rpc_path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keepalive_interval: Duration::from_secs(310),
            compress_requests: false,
            connect_get: 0,
            hosts: Vec::new(),
            cors: None,
            #[cfg(feature = "jsonrpc")]
            json_rpc_path: "/".to_owned(),
        }
    }
}

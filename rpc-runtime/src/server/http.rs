//! What a server is set to for HTTP, and for WebSocket, which begins as that.

use super::server::Server;
#[cfg(doc)]
use crate::Wire;
use crate::wire::Cors;

impl Server {
    /// Lets HTTP requests that come from this machine name another host than `localhost` or an IP
    /// address, such as those of a reverse proxy that passes the name on.
    ///
    /// Without it they are refused with 403, because a page in a browser could reach the server
    /// under a name of its own (DNS rebinding). Requests from elsewhere are not asked. Ports are
    /// not compared.
    pub fn http_host(mut self, host: impl Into<String>) -> Self {
        self.config.http.hosts.push(host.into());
        self
    }

    /// Lets pages of other sites call from a browser: Connect, gRPC-Web and JSON-RPC. None may by
    /// default.
    ///
    /// # Panics
    ///
    /// Panics if any origin may send credentials.
    pub fn cors(mut self, cors: Cors) -> Self {
        cors.check();
        self.config.http.cors = Some(cors);
        self
    }

    /// Lets pages of another origin, such as `https://app.example`, connect by
    /// [WebSocket](Wire::WebSocket); call it once for each.
    ///
    /// Without it only pages may that come from the very host and port that they connect to, and
    /// others are refused with 403: a browser lets every page of every site try. Programs that are
    /// no browsers name no origin, and are not asked.
    #[cfg(feature = "websocket")]
    pub fn websocket_origin(mut self, origin: impl Into<String>) -> Self {
        self.config.websocket.origins.push(origin.into());
        self
    }

    /// Lets pages of every origin connect by [WebSocket](Wire::WebSocket): for a server that knows its
    /// callers by something that a browser does not send by itself, or that everybody may call.
    #[cfg(feature = "websocket")]
    pub fn websocket_any_origin(mut self) -> Self {
        self.config.websocket.any_origin = true;
        self
    }

    /// Compresses messages of JSON-RPC over [WebSocket](Wire::WebSocket) from 256 bytes on, for clients that can
    /// (RFC 7692): less bytes on a slow line for more work. It is off by default.
    ///
    /// Do not turn it on where one message holds a secret beside text of an attacker's choice: the
    /// length of it then tells of the secret. The native wire is never compressed.
    #[cfg(all(feature = "websocket", feature = "jsonrpc"))]
    pub fn websocket_compression(mut self, is_on: bool) -> Self {
        self.config.websocket.compresses = is_on;
        self
    }
}

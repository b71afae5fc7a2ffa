//! What a server is set to for JSON-RPC.

use super::open_rpc::OpenRpc;
use super::router::Router;
use super::server::Server;
#[cfg(doc)]
use crate::Wire;
use crate::wire::config::Config;

impl Server {
    /// Lets [JSON-RPC](Wire::JsonRpc) and its like call the methods of this service, such as
    /// `math.v1.Math`, by their names alone, also those that another service has too. Without it a name
    /// alone means the method that only one service has; functions come first.
    ///
    /// # Panics
    ///
    /// Serving panics if there is no such service.
    pub fn json_rpc_service(mut self, name: impl Into<String>) -> Self {
        self.config.json_rpc.service = Some(name.into());
        self
    }

    /// Sets the path of HTTP requests that are JSON-RPC, where [`Wire::Http`] and [`Wire::JsonRpc`] are
    /// both accepted: POST requests whose content type is `application/json`. It is `/` by default;
    /// the paths of methods stay those of Connect.
    ///
    /// Metadata of the calls is in the headers, and `connect-timeout-ms` bounds their time.
    ///
    /// # Panics
    ///
    /// Panics if the path does not begin with a slash.
    #[cfg(feature = "http")]
    pub fn json_rpc_path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        assert!(path.starts_with('/'), "`{path}` does not begin with `/`");
        self.config.http.json_rpc_path = path;
        self
    }

    /// Serves `rpc.discover`, which returns what is served as a document of
    /// [OpenRPC](https://open-rpc.org), version 1.3, with this title and this version of the API. Off
    /// unless this is called.
    ///
    /// All methods are described that JSON-RPC can call, under their full names, with their
    /// documentation. Services that `rpc-build` generated from a schema have the types of all messages
    /// (with the feature `protobuf`). Of a trait only the names of the arguments are known, and of a
    /// function how many there are: a schema is `{}` there, which everything fits. What a
    /// [`fallback`](Self::fallback) serves is left out. The result of a method that streams is the id of
    /// its subscription, and `x-items` has the schema of the items.
    ///
    /// Layers of the server are around it as around everything else. Those of a single router are not,
    /// so whoever may ask sees the names of methods that they may not call.
    ///
    /// # Panics
    ///
    /// Serving panics if a function of this name is served already.
    pub fn open_rpc(mut self, title: impl Into<String>, version: impl Into<String>) -> Self {
        let (title, version) = (title.into(), version.into());
        self.standard.open_rpc = Some(OpenRpc { title, version });
        self
    }
}

/// Checks that the service is there which is called by the names of its methods alone.
pub(super) fn check_service(config: &Config, router: &Router) {
    if let Some(name) = &config.json_rpc.service {
        let is_served = router.services().iter().any(|it| it.name() == name);
        assert!(is_served, "no service `{name}` is served here");
    }
}

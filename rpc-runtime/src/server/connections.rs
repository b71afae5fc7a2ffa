//! Serving byte streams that somebody else accepts.

use std::fmt;
use std::sync::Arc;

use super::accept::{Accepting, ShutdownHandle};
use crate::transport::Io;

/// A server without addresses: it serves the byte streams that it is given.
///
/// For streams that come from elsewhere: a proxy, a serial line, a test's faulty network. All of
/// them share the server's limits and its shutdown. Made by
/// [`Server::connections`](super::Server::connections); a clone serves for the same server.
#[derive(Clone)]
pub struct Connections {
    accepting: Arc<Accepting>,
}

impl Connections {
    pub(super) fn new(accepting: Arc<Accepting>) -> Self {
        Self { accepting }
    }

    /// Serves one connection until it ends, over TLS if that is set on the server. After a
    /// [shutdown](ShutdownHandle::shutdown) that is within the server's `shutdown_timeout`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the connection at once, with every call on it.
    pub fn serve(&self, io: Io) -> impl Future<Output = ()> + Send + use<> {
        let accepting = Arc::clone(&self.accepting);
        async move {
            let timeout = accepting.shutdown_timeout;
            let over = async {
                tokio::select! {
                    biased;
                    () = accepting.shutdown.cancelled() => {}
                    () = Arc::clone(&accepting).drained() => {}
                }
                tokio::time::sleep(timeout).await;
            };
            tokio::select! {
                biased;
                () = Arc::clone(&accepting).connection(io, true) => {}
                () = over => tracing::warn!(
                    "open calls did not finish within `shutdown_timeout` and are dropped"
                ),
            }
        }
    }

    /// Ends what outlives connections, as a power cut does.
    #[cfg(feature = "testing")]
    pub(crate) fn crash(&self) {
        self.accepting.crash();
    }

    /// Returns a handle that ends the server.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.accepting))
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections")
            .field(&self.shutdown_handle())
            .finish()
    }
}

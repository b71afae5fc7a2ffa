//! TLS on what a server accepts.

use super::accept::Accepting;
use crate::call::Identity;
use crate::error::Error;
use crate::transport::Io;
use crate::transport::tls::{Acceptor, ServerTls};

impl Accepting {
    pub(super) fn with_tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls.map(|tls| Acceptor::new(tls, self.wires.alpn()));
        self
    }

    pub(super) async fn load_tls(&self) -> Result<(), Error> {
        match &self.tls {
            Some(tls) => tls.load().await,
            None => Ok(()),
        }
    }

    /// Makes the handshake; `None` if the connection is of no use, or the server ends. A client that is
    /// still at its handshake has nothing to be finished.
    pub(super) async fn secured(&self, io: Io) -> Option<Io> {
        let tls = self.tls.as_ref()?;
        let accepted = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => None,
            accepted = tls.accept(io, self.config.handshake_timeout) => accepted,
        };
        accepted.map(|io| match io.peer_name() {
            Some(name) => io.with_extension(Identity::new(name)),
            None => io,
        })
    }
}

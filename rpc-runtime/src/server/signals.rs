//! A server that ends in good order when its process is told to end.

use std::pin::pin;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::accept::Bound;
use super::server::Server;
use crate::error::Error;

impl Server {
    /// Opens every address and serves until the process is told to end, by SIGTERM or Ctrl-C: see
    /// [`Bound::serve_until_signal`].
    ///
    /// # Errors
    ///
    /// An address that cannot be read or opened, or a listener that broke.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once, with every call on it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use rpc_runtime::{Error, Server};
    /// # use std::time::Duration;
    /// #[tokio::main]
    /// async fn main() -> Result<(), Error> {
    ///     let server = Server::new()
    ///         .function("hello", |name: String| async move { format!("Hello, {name}!") })
    ///         .listen("tcp://0.0.0.0:8080")
    ///         .drain_delay(Duration::from_secs(5)) // for a load balancer that looks every 4 seconds
    ///         .shutdown_timeout(Duration::from_secs(20)); // less than the orchestrator's patience
    ///     server.serve_until_signal().await
    /// }
    /// ```
    pub async fn serve_until_signal(self) -> Result<(), Error> {
        let signals = Signals::listen()?;
        self.bind().await?.serve_until(signals).await
    }
}

impl Bound {
    /// Serves until the process is told to end, by SIGTERM (as orchestrators do) or Ctrl-C, and then
    /// [ends in good order](super::ShutdownHandle::shutdown): not ready in health checks for
    /// [`drain_delay`](Server::drain_delay), then no new connections and calls, and those that run
    /// finish within [`shutdown_timeout`](Server::shutdown_timeout). Where there is no SIGTERM, as on
    /// Windows, only Ctrl-C counts.
    ///
    /// A second signal ends the server at once, with every call on it. From the first call of this on the
    /// process no longer ends by these signals alone, also when the server has ended.
    ///
    /// # Errors
    ///
    /// A listener that broke, or signals that the system does not let it listen to.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once, with every call on it.
    pub async fn serve_until_signal(self) -> Result<(), Error> {
        let signals = Signals::listen()?;
        self.serve_until(signals).await
    }

    async fn serve_until(self, mut signals: Signals) -> Result<(), Error> {
        let stop = self.shutdown_handle();
        let mut serving = pin!(self.serve());
        tokio::select! {
            ended = &mut serving => return ended,
            signal = signals.next() => {
                let calls = stop.running_calls();
                tracing::info!(signal, calls, "told to end: the calls that run are finished");
                stop.shutdown();
            }
        }
        tokio::select! {
            ended = &mut serving => ended,
            signal = signals.next() => {
                let calls = stop.running_calls();
                tracing::warn!(signal, calls, "told to end again: the calls that run are dropped");
                Ok(())
            }
        }
    }
}

/// What tells a process to end.
#[cfg(unix)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from here on, so that no signal is missed.
    fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::new("cannot listen to signals", error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one, and names it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What tells a process to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for the next one, and names it; for ever where none can be heard.
    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}

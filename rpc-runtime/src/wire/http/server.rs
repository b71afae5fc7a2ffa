//! An accepted byte stream that speaks HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, sleep_until};

use super::detect::is_http2;
use super::prefixed::Prefixed;
use super::{host, http1, http2};
use crate::call::{Cancellation, ConnectionInfo, deadline_after};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};
use crate::wire::{Draining, Wires};

/// What all requests of one connection share.
pub(super) struct Connection {
    pub(super) config: Arc<Config>,
    pub(super) served: Served,
    pub(super) info: Arc<ConnectionInfo>,
    /// The peer is on the same machine.
    pub(super) is_local: bool,
    pub(super) budget: Arc<Budget>,
    #[cfg(feature = "websocket")]
    pub(super) upgrading: super::upgrade::Upgrading,
    /// The calls of JSON-RPC, where it is spoken.
    #[cfg(feature = "jsonrpc")]
    pub(super) json_rpc: Option<Arc<crate::wire::jsonrpc::Session>>,
    open: AtomicUsize,
    /// Requests that ever came, so that a look at two times sees whether any did in between.
    came: AtomicUsize,
}

/// Serves a byte stream of which `received` was read already.
///
/// # Errors
///
/// Why the connection ended, if not in peace.
///
/// # Cancel safety
///
/// Dropping the future ends the connection at once, with every call on it.
#[cfg_attr(not(feature = "websocket"), allow(unused_variables))]
pub(crate) async fn serve(
    io: Io,
    received: BytesMut,
    wires: Wires,
    config: Arc<Config>,
    served: Served,
    draining: Draining,
) -> Result<(), Status> {
    let budget = Budget::new(config.limits.max_buffered, config.shared_budget.clone());
    let budget = Arc::new(budget);
    let mut extensions = served.extensions.clone();
    extensions.insert(Arc::clone(&budget));
    let info = ConnectionInfo::new(Arc::clone(io.peer()), extensions);
    let connection = Connection::new(config, served, info, budget, wires, &draining);
    let connection = Arc::new(connection);
    let drained = Cancellation::new();
    let hook = drained.clone();
    draining.on_begin(move || hook.cancel());
    let is_http2 = is_http2(&received);
    let io = Prefixed::new(received.freeze(), io);
    if is_http2 {
        http2::serve(connection, io, drained).await
    } else {
        http1::serve(connection, io, drained).await
    }
}

/// A request until all of its answer was handed over.
pub(super) struct OpenRequest(Arc<Connection>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.came.fetch_add(1, Ordering::Relaxed);
    }
}

impl Connection {
    pub(super) fn new(
        config: Arc<Config>,
        served: Served,
        info: ConnectionInfo,
        budget: Arc<Budget>,
        wires: Wires,
        draining: &Draining,
    ) -> Self {
        #[cfg(not(feature = "websocket"))]
        let _ = (wires, draining);
        let info = Arc::new(info);
        Self {
            #[cfg(feature = "jsonrpc")]
            json_rpc: wires
                .has_json_rpc()
                .then(|| super::json_rpc::session(&config, &served, &info, &budget)),
            is_local: host::is_loopback(info.peer()),
            config,
            served,
            info,
            budget,
            #[cfg(feature = "websocket")]
            upgrading: super::upgrade::Upgrading::new(wires, draining.clone()),
            open: AtomicUsize::new(0),
            came: AtomicUsize::new(0),
        }
    }

    /// Notes a request until what is returned is dropped.
    pub(super) fn open_request(self: &Arc<Self>) -> OpenRequest {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.came.fetch_add(1, Ordering::Relaxed);
        OpenRequest(Arc::clone(self))
    }

    /// Says whether there is a request that is not answered to its end.
    pub(super) fn is_answering(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Returns a number that has changed if any request has come or gone.
    pub(super) fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }

    /// Waits until there was no request for the configured time, or else for `usually`; for ever if that
    /// is not bounded either.
    pub(super) async fn idle(&self, usually: Option<Duration>) {
        let Some(limit) = self.config.idle_timeout.or(usually) else {
            return std::future::pending().await;
        };
        // Looked at a few times in that time, so that requests need not touch a timer.
        let pause = (limit / 4).max(Duration::from_millis(1));
        let mut before = self.came();
        let mut since = Instant::now();
        loop {
            sleep_until(deadline_after(Instant::now(), pause)).await;
            let came = self.came();
            if came != before || self.is_answering() {
                before = came;
                since = Instant::now();
            } else if since.elapsed() >= limit {
                return;
            }
        }
    }
}

//! What one connection is set to, and what it serves, whatever its wire.

use std::sync::Arc;
use std::time::Duration;

use http::Extensions;

use crate::call::{Limits, MethodTable};
use crate::service::BoxService;
use crate::status::Status;
use crate::wire::budget::SharedBudget;

/// A thread that stays awake for longer than that spares nobody anything.
pub(crate) const LONGEST_BUSY_POLL: Duration = Duration::from_millis(1);

/// What a connection is set to; shared by all connections of a server or of a channel.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    /// What all connections together may hold.
    pub(crate) shared_budget: Option<Arc<SharedBudget>>,
    /// How long a peer may be silent before it is pinged.
    pub(crate) keepalive_interval: Duration,
    /// How many connections a client may make to one gRPC server.
    pub(crate) max_connections: usize,
    /// How long a silent peer has to answer, and one that does not read has to take a byte.
    pub(crate) keepalive_timeout: Duration,
    /// How long the peer may take for its preface and settings.
    pub(crate) handshake_timeout: Duration,
    /// How long one frame may take from its first byte to its last.
    pub(crate) frame_timeout: Duration,
    /// How long a connection that has much to do stays awake for the next message.
    pub(crate) busy_poll: Duration,
    /// How long a cancelled handler has before it is dropped.
    pub(crate) cancel_grace: Duration,
    /// A connection without a call for so long is closed.
    pub(crate) idle_timeout: Option<Duration>,
    #[cfg(feature = "http")]
    pub(crate) http: super::http::Settings,
    #[cfg(feature = "jsonrpc")]
    pub(crate) json_rpc: super::jsonrpc::Settings,
    #[cfg(feature = "websocket")]
    pub(crate) websocket: super::websocket::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            shared_budget: None,
            keepalive_interval: Duration::from_secs(20),
            max_connections: 8,
            keepalive_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(60),
            busy_poll: Duration::from_micros(50),
            cancel_grace: Duration::from_millis(100),
            idle_timeout: None,
            #[cfg(feature = "http")]
            http: super::http::Settings::default(),
            #[cfg(feature = "jsonrpc")]
            json_rpc: super::jsonrpc::Settings::default(),
            #[cfg(feature = "websocket")]
            websocket: super::websocket::Settings::default(),
        }
    }
}

/// What a connection serves.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) service: BoxService,
    pub(crate) methods: Arc<dyn MethodTable>,
    /// The calls that run on all connections together.
    pub(crate) running: Arc<RunningCalls>,
    /// Values that belong to every connection.
    pub(crate) extensions: Extensions,
}

/// Counts the calls of all connections of a server, or of one, and bounds them.
#[derive(Debug)]
pub(crate) struct RunningCalls {
    count: std::sync::atomic::AtomicUsize,
    limit: usize,
    /// Who runs them, and the setting that bounds them.
    names: (&'static str, &'static str),
}

impl RunningCalls {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Self::bounded(limit, ("server", "max_calls_total"))
    }

    #[cfg(feature = "jsonrpc")]
    pub(crate) fn of_connection(limit: usize) -> Arc<Self> {
        Self::bounded(limit, ("connection", "max_calls"))
    }

    #[cfg(feature = "jsonrpc")]
    pub(crate) fn of_subscriptions(limit: usize) -> Arc<Self> {
        Self::bounded(limit, ("connection", "max_subscriptions"))
    }

    fn bounded(limit: usize, names: (&'static str, &'static str)) -> Arc<Self> {
        Arc::new(Self {
            count: std::sync::atomic::AtomicUsize::new(0),
            limit,
            names,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Counts one call more.
    ///
    /// # Errors
    ///
    /// When the limit is reached; the status names it.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<RunningCall, Status> {
        use std::sync::atomic::Ordering::Relaxed;
        let call = RunningCall(Arc::clone(self));
        if self.count.fetch_add(1, Relaxed) < self.limit {
            return Ok(call);
        }
        let (limit, (owner, name)) = (self.limit, self.names);
        Err(Status::resource_exhausted(format!(
            "the {owner} runs the limit `{name}` of {limit} calls already"
        )))
    }
}

/// One running call; it ends when this is dropped.
pub(crate) struct RunningCall(Arc<RunningCalls>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0
            .count
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

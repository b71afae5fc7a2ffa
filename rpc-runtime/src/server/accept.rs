//! A server that is listening: it accepts connections, and ends in good order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::age::Age;
use super::answers::Answers;
use super::resume::Streams;
use super::standard::Standard;
use crate::call::{Cancellation, deadline_after};
use crate::error::Error;
use crate::service::BoxFuture;
#[cfg(feature = "tls")]
use crate::transport::tls;
use crate::transport::{Io, Listener, is_transient};
use crate::wire::config::{Config, Served};
use crate::wire::{self, Draining, Wires};

/// How long the accept loop pauses when the system is out of something, such as file handles.
const PAUSE: Duration = Duration::from_millis(50);

/// A server whose addresses are open.
#[must_use = "a server does nothing until it is served"]
pub struct Bound {
    urls: Vec<String>,
    listeners: Vec<Listener>,
    accepting: Arc<Accepting>,
}

impl Bound {
    pub(super) fn new(listeners: Vec<Listener>, accepting: Accepting) -> Self {
        Self {
            urls: listeners.iter().map(Listener::url).collect(),
            listeners,
            accepting: Arc::new(accepting),
        }
    }

    /// Returns the first address, with the port that was taken.
    pub fn url(&self) -> &str {
        self.urls.first().map_or("", String::as_str)
    }

    /// Returns every address, in the order of [`Server::listen`](super::Server::listen).
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Returns a handle that ends the server.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.accepting))
    }

    /// Serves until it is shut down or a listener fails.
    ///
    /// # Errors
    ///
    /// A listener that broke; open calls are dropped then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once, with every call on it.
    pub async fn serve(self) -> Result<(), Error> {
        self.boxed().await
    }

    /// Has it compiled here: the body of an `async fn` is otherwise compiled again with each program that awaits it.
    fn boxed(self) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(self.run())
    }

    async fn run(self) -> Result<(), Error> {
        let _kept = EndKept(Arc::clone(&self.accepting));
        let mut loops = JoinSet::new();
        for listener in self.listeners {
            loops.spawn(accept(Arc::clone(&self.accepting), listener));
        }
        let mut draining = JoinSet::new();
        draining.spawn(Arc::clone(&self.accepting).drained());
        let mut connections = JoinSet::new();
        let mut failed = None;
        while let Some(ended) = loops.join_next().await {
            match ended {
                Ok(Ok(mut accepted)) => {
                    // The loop is over, so its connections are watched from here.
                    connections.spawn(async move { while accepted.join_next().await.is_some() {} });
                }
                Ok(Err(error)) => failed = Some(error),
                Err(error) => failed = Some(Error::new("the accept loop failed", error)),
            }
            if failed.is_some() {
                self.accepting.begin_shutdown();
            }
        }
        let all = async {
            while connections.join_next().await.is_some() {}
            self.accepting.idle().await;
        };
        if tokio::time::timeout(self.accepting.shutdown_timeout, all)
            .await
            .is_err()
        {
            tracing::warn!("open calls did not finish within `shutdown_timeout` and are dropped");
            connections.shutdown().await;
        }
        failed.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// Ends a server; its clones end the same one.
#[derive(Clone)]
pub struct ShutdownHandle(pub(super) Arc<Accepting>);

impl ShutdownHandle {
    /// Ends the server in good order: it accepts no connections and no calls any more, tells
    /// clients so, and finishes the calls that it has accepted. What has not finished within
    /// [`Server::shutdown_timeout`](super::Server::shutdown_timeout) is dropped.
    ///
    /// With a [`Server::drain_delay`](super::Server::drain_delay) health checks say so at once, and
    /// the rest begins when that time is over, or when this is called again.
    ///
    /// It returns at once; [`Bound::serve`] returns when the server has ended.
    pub fn shutdown(&self) {
        self.0.begin_drain();
    }

    /// Returns the connections that are open.
    pub fn connections(&self) -> usize {
        self.0.connections().len()
    }

    /// Returns the bytes that are held for peers, which
    /// [`max_buffered_total`](super::Server::max_buffered_total) bounds; each connection that holds any counts as a
    /// multiple of 256 KiB.
    pub fn buffered_bytes(&self) -> usize {
        let shared = self.0.config.shared_budget.as_ref();
        shared.map_or(0, |it| it.used())
    }

    /// Returns the calls that run or stream now and were not answered at once, with those of methods that
    /// are marked `#[rpc(once)]` that go on although their callers have left.
    pub fn running_calls(&self) -> usize {
        self.0.served.running.count() + self.0.answers().map_or(0, Answers::alone)
    }

    /// Returns the streams of methods that are marked `#[rpc(resumable)]` whose callers have lost their
    /// connection and have not come back: see [`Server::replay_limits`](super::Server::replay_limits).
    pub fn waiting_streams(&self) -> usize {
        self.0.streams().map_or(0, Streams::waiting)
    }
}

impl fmt::Debug for ShutdownHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownHandle")
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// What the listeners of a server share.
pub(super) struct Accepting {
    pub(super) wires: Wires,
    pub(super) config: Arc<Config>,
    pub(super) served: Served,
    places: Arc<Semaphore>,
    pub(super) shutdown_timeout: Duration,
    /// Sorted, so that the same events always lead to the same.
    connections: Mutex<BTreeMap<u64, Draining>>,
    next: AtomicU64,
    /// How long the server serves on when it is about to end.
    drain_delay: Duration,
    /// It is, and when it ends.
    drain: Cancellation,
    drain_end: OnceLock<Instant>,
    pub(super) shutdown: Cancellation,
    standard: Standard,
    age: Option<Age>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<tls::Acceptor>,
}

impl Accepting {
    pub(super) fn new(
        wires: Wires,
        config: Arc<Config>,
        served: Served,
        max_connections: usize,
        shutdown_timeout: Duration,
    ) -> Self {
        Self {
            wires,
            config,
            served,
            places: Arc::new(Semaphore::new(max_connections)),
            shutdown_timeout,
            connections: Mutex::default(),
            next: AtomicU64::new(0),
            drain_delay: Duration::ZERO,
            drain: Cancellation::new(),
            drain_end: OnceLock::new(),
            shutdown: Cancellation::new(),
            standard: Standard::default(),
            age: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Lets the services that a server brings along know of its shutdown.
    pub(super) fn with_standard(mut self, standard: Standard) -> Self {
        self.standard = standard;
        self
    }

    pub(super) fn with_drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Ends connections that are older.
    pub(super) fn with_age(mut self, age: Option<Age>) -> Self {
        self.age = age;
        self
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, Draining>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the end of the server; the second time, and where there is no delay, at once.
    fn begin_drain(&self) {
        if self.drain_delay.is_zero() || self.drain.is_cancelled() {
            return self.begin_shutdown();
        }
        self.standard.begin_drain();
        let _ = self
            .drain_end
            .set(deadline_after(Instant::now(), self.drain_delay));
        self.drain.cancel();
    }

    /// Shuts down when the delay is over.
    pub(super) async fn drained(self: Arc<Self>) {
        self.drain.cancelled().await;
        let end = self.drain_end.get().copied();
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep_until(end.unwrap_or_else(Instant::now)) => self.begin_shutdown(),
        }
    }

    /// Returns the streams that are kept for callers who come back.
    fn streams(&self) -> Option<&Streams> {
        self.served.extensions.get()
    }

    /// Returns the answers that are kept for calls that are made again.
    pub(super) fn answers(&self) -> Option<&Answers> {
        self.served.extensions.get()
    }

    /// Waits for the calls that go on without their callers.
    async fn idle(&self) {
        if let Some(answers) = self.answers() {
            answers.idle().await;
        }
    }

    /// Ends what outlives connections, as a power cut does.
    #[cfg(feature = "testing")]
    pub(super) fn crash(&self) {
        if let Some(streams) = self.streams() {
            streams.end();
        }
    }

    fn begin_shutdown(&self) {
        self.standard.begin_shutdown();
        if let Some(answers) = self.answers() {
            answers.close(self.shutdown_timeout);
        }
        if let Some(streams) = self.streams() {
            streams.close(self.shutdown_timeout);
        }
        self.shutdown.cancel();
        for connection in self.connections().values() {
            connection.begin();
        }
    }

    /// Serves one connection to its end; over TLS if it `may_be_secured` and that is set.
    #[cfg_attr(not(feature = "tls"), allow(unused_mut, unused_variables))]
    pub(super) async fn connection(self: Arc<Self>, mut io: Io, may_be_secured: bool) {
        let Ok(_place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(
                peer = &**io.peer(),
                "refused: `max_connections` are open already"
            );
            return;
        };
        #[cfg(feature = "tls")]
        if may_be_secured && self.tls.is_some() {
            // Boxed, so that a connection without TLS does not carry its size.
            match Box::pin(self.secured(io)).await {
                Some(secured) => io = secured,
                None => return,
            }
        }
        let peer = Arc::clone(io.peer());
        let mut served = self.served.clone();
        served.extensions.extend(io.take_extensions());
        let draining = Draining::default();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.connections().insert(id, draining.clone());
        let _entered = Entered {
            accepting: &self,
            id,
        };
        if self.shutdown.is_cancelled() {
            draining.begin();
        }
        let config = Arc::clone(&self.config);
        let served = wire::serve(io, self.wires, config, served, draining.clone());
        let served = match self.age {
            None => served.await,
            Some(age) => age.bound(served, &draining).await,
        };
        if let Err(reason) = served {
            tracing::debug!(peer = &*peer, %reason, "a connection ended");
        }
    }
}

/// Ends what goes on without a caller when the server ends, however it ends.
struct EndKept(Arc<Accepting>);

impl Drop for EndKept {
    fn drop(&mut self) {
        if let Some(answers) = self.0.answers() {
            answers.close(Duration::ZERO);
        }
        if let Some(streams) = self.0.streams() {
            streams.end();
        }
    }
}

/// Takes a connection out of the list when it ends, however it ends.
struct Entered<'a> {
    accepting: &'a Accepting,
    id: u64,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.accepting.connections().remove(&self.id);
    }
}

/// Accepts until the shutdown, and gives back the connections that are still open then.
async fn accept(accepting: Arc<Accepting>, mut listener: Listener) -> Result<JoinSet<()>, Error> {
    let mut connections = JoinSet::new();
    let shutdown = accepting.shutdown.clone();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(connections),
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(io) => {
                connections.spawn(Arc::clone(&accepting).connection(io, listener.is_tcp()));
            }
            Err(error) if is_transient(&error) => {
                tracing::warn!(%error, "cannot accept a connection now");
                tokio::time::sleep(PAUSE).await;
            }
            // Standard input and output are one connection, and then none.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = async { while connections.join_next().await.is_some() {} } => {}
                }
                return Ok(connections);
            }
            Err(error) => {
                return Err(Error::new(
                    format!("cannot listen at {}", listener.url()),
                    error,
                ));
            }
        }
    }
}

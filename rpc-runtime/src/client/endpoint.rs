//! One address: connected when it is needed, and again when the connection is lost.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::call::{Cancellation, Request, Response, deadline_in};
use crate::service::{BoxFuture, ResponseFuture, Service};
use crate::status::{Phase, Status};
#[cfg(feature = "tls")]
use crate::transport::tls;
use crate::transport::{self, Address, Io};
use crate::wire::config::{Config, Served};
use crate::wire::{ClientWire, Connection};

/// The pause after a first failed attempt; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What makes the byte streams of a channel that does not connect by URL.
pub(super) type Connector = Arc<dyn Fn() -> BoxFuture<'static, std::io::Result<Io>> + Send + Sync>;

/// Where an endpoint connects to.
#[derive(Clone)]
pub(super) enum Destination {
    Address {
        wire: ClientWire,
        address: Address,
    },
    #[cfg(feature = "tls")]
    Tls {
        wire: ClientWire,
        host: String,
        port: u16,
        connector: Arc<tls::Connector>,
    },
    Connector {
        name: Arc<str>,
        connector: Connector,
    },
}

impl Destination {
    /// Opens the stream; TLS comes on top of it.
    async fn connect(&self) -> std::io::Result<Io> {
        match self {
            Self::Address { address, .. } => transport::connect(address).await,
            #[cfg(feature = "tls")]
            Self::Tls { host, port, .. } => {
                let (host, port) = (host.clone(), *port);
                transport::connect(&Address::Tcp { host, port }).await
            }
            Self::Connector { connector, .. } => connector().await,
        }
    }

    /// Returns what is spoken there.
    fn wire(&self) -> &ClientWire {
        match self {
            Self::Address { wire, .. } => wire,
            #[cfg(feature = "tls")]
            Self::Tls { wire, .. } => wire,
            Self::Connector { .. } => &ClientWire::Native,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(url) = self.wire().url() {
            return f.write_str(&url);
        }
        match self {
            Self::Address { address, .. } => address.fmt(f),
            #[cfg(feature = "tls")]
            Self::Tls { host, port, .. } => {
                let (host, port) = (host.clone(), *port);
                Address::Tls { host, port }.fmt(f)
            }
            Self::Connector { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One destination, with the connection to it.
pub(super) struct Endpoint {
    destination: Destination,
    url: Arc<str>,
    config: Arc<Config>,
    connect_timeout: Duration,
    served: Option<Served>,
    /// The first connection that was made. Most channels never have another, and all their calls
    /// would meet at the lock.
    first: OnceLock<Arc<Connection>>,
    state: Mutex<State>,
}

enum State {
    Idle,
    Connecting(Arc<Attempt>),
    Connected(Arc<Connection>),
    /// The last attempt failed; before `again` nothing is tried.
    Failed {
        attempts: u32,
        again: Instant,
        reason: Status,
    },
}

type Outcome = Result<Arc<Connection>, Status>;

/// An attempt to connect that is on its way, for all who wait for it; they go on in the order in
/// which they came.
#[derive(Default)]
struct Attempt {
    outcome: OnceLock<Outcome>,
    over: Cancellation,
}

impl Endpoint {
    pub(super) fn new(
        destination: Destination,
        config: Arc<Config>,
        connect_timeout: Duration,
        served: Option<Served>,
    ) -> Arc<Self> {
        Arc::new(Self {
            url: Arc::from(destination.to_string()),
            destination,
            config,
            connect_timeout,
            served,
            first: OnceLock::new(),
            state: Mutex::new(State::Idle),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the calls on their way to this address; `None` while it is out of reach.
    pub(super) fn load(&self) -> Option<usize> {
        match &*self.state() {
            State::Connected(connection) if connection.is_open() => Some(connection.calls()),
            State::Failed { again, .. } if *again > Instant::now() => None,
            _ => Some(0),
        }
    }

    /// Returns the connection, making it first if there is none.
    ///
    /// The attempt runs in a task of its own and serves everyone who waits for it.
    pub(super) async fn connected(
        self: &Arc<Self>,
        deadline: Option<Instant>,
    ) -> Result<Arc<Connection>, Status> {
        let attempt = match self.connection_or_attempt() {
            Ok(connection) => return Ok(connection),
            Err(attempt) => attempt?,
        };
        let over = attempt.over.cancelled();
        match deadline {
            None => over.await,
            Some(deadline) => timeout_at(deadline, over).await.map_err(|_| {
                let text = "the deadline passed before the connection was made";
                self.blame(Status::deadline_exceeded(text))
            })?,
        }
        let stopped = || self.blame(Status::unavailable("the attempt to connect was stopped"));
        let outcome = attempt.outcome.get().cloned();
        outcome.unwrap_or_else(|| Err(stopped()))
    }

    fn open_connection(&self) -> Option<Arc<Connection>> {
        match &*self.state() {
            State::Connected(connection) if connection.is_open() => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "the three ways it can be are its whole point"
    )]
    fn connection_or_attempt(
        self: &Arc<Self>,
    ) -> Result<Arc<Connection>, Result<Arc<Attempt>, Status>> {
        let mut state = self.state();
        let attempts = match &*state {
            State::Connected(connection) if connection.is_open() => {
                return Ok(Arc::clone(connection));
            }
            State::Connecting(attempt) => return Err(Ok(Arc::clone(attempt))),
            State::Failed { again, reason, .. } if *again > Instant::now() => {
                return Err(Err(reason.clone()));
            }
            State::Failed { attempts, .. } => *attempts,
            State::Connected(_) | State::Idle => 0,
        };
        let attempt = Arc::new(Attempt::default());
        *state = State::Connecting(Arc::clone(&attempt));
        drop(state);
        let endpoint = Arc::clone(self);
        let made = Arc::clone(&attempt);
        tokio::spawn(async move {
            let ending = Ending {
                endpoint,
                attempt: made,
            };
            let outcome = ending.endpoint.attempt().await;
            ending.endpoint.settle(attempts, &outcome);
            let _ = ending.attempt.outcome.set(outcome);
        });
        Err(Ok(attempt))
    }

    /// Opens a byte stream and waits for the peer to introduce itself on it.
    async fn attempt(&self) -> Outcome {
        let deadline = deadline_in(self.connect_timeout);
        let io = self.open_stream(deadline).await?;
        let config = Arc::clone(&self.config);
        let connecting = self
            .destination
            .wire()
            .connect(io, config, self.served.clone());
        let introduced = timeout_at(deadline, connecting).await;
        let introduced = introduced.unwrap_or_else(|_| {
            let limit = self.connect_timeout;
            Err(Status::unavailable(format!(
                "the peer did not introduce itself within `connect_timeout` of {limit:?}: \
                 is it a server that speaks this wire, and running?"
            )))
        });
        let connection = introduced.map_err(|status| self.blame(status))?;
        Ok(Arc::new(connection))
    }

    async fn open_stream(&self, deadline: Instant) -> Result<Io, Status> {
        let connected = timeout_at(deadline, self.destination.connect()).await;
        let io = match connected {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => {
                return Err(self.blame(Status::unavailable("cannot connect").with_source(error)));
            }
            Err(_) => {
                let limit = self.connect_timeout;
                let text = format!("cannot connect within `connect_timeout` of {limit:?}");
                return Err(self.blame(Status::unavailable(text)));
            }
        };
        #[cfg(feature = "tls")]
        let io = self.secured(io, deadline).await?;
        Ok(io.with_peer(&*self.url))
    }

    /// Makes the handshake of TLS where the URL asks for it.
    #[cfg(feature = "tls")]
    async fn secured(&self, io: Io, deadline: Instant) -> Result<Io, Status> {
        let Destination::Tls {
            host, connector, ..
        } = &self.destination
        else {
            return Ok(io);
        };
        match timeout_at(deadline, connector.connect(io, host)).await {
            Ok(Ok(io)) => Ok(io),
            Ok(Err(error)) => {
                let status = Status::unavailable("the TLS handshake failed").with_source(error);
                Err(self.blame(status))
            }
            Err(_) => {
                let limit = self.connect_timeout;
                let text = format!(
                    "the TLS handshake did not end within `connect_timeout` of {limit:?}: \
                     does the server speak TLS at this port?"
                );
                Err(self.blame(Status::unavailable(text)))
            }
        }
    }

    fn settle(&self, attempts: u32, outcome: &Outcome) {
        *self.state() = match outcome {
            Ok(connection) => {
                self.first.get_or_init(|| Arc::clone(connection));
                State::Connected(Arc::clone(connection))
            }
            Err(reason) => State::Failed {
                attempts: attempts.saturating_add(1),
                again: Instant::now() + pause(attempts),
                reason: reason.clone(),
            },
        };
    }

    fn blame(&self, status: Status) -> Status {
        let status = status.into_not_started();
        status.in_phase(Phase::Connect).at_peer(&self.url)
    }
}

/// Tells all who wait that the attempt is over, also when its task was stopped half-way: then the next call tries again.
struct Ending {
    endpoint: Arc<Endpoint>,
    attempt: Arc<Attempt>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.attempt.outcome.get().is_none() {
            *self.endpoint.state() = State::Idle;
        }
        self.attempt.over.cancel();
    }
}

/// The pause after so many failed attempts: doubling, and anything between half and all of it, so
/// that many clients do not come back at once.
fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.min(16));
    let longest = doubled.min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// The addresses that a channel spreads its calls over.
pub(super) struct Endpoints {
    endpoints: Vec<Arc<Endpoint>>,
    next: std::sync::atomic::AtomicUsize,
}

impl Endpoints {
    /// `endpoints` is not empty.
    pub(super) fn new(endpoints: Vec<Arc<Endpoint>>) -> Self {
        Self {
            endpoints,
            next: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Connects to every address at once; succeeds if one can be reached.
    pub(super) async fn connect(&self) -> Result<(), Status> {
        for endpoint in &self.endpoints {
            // Begins an attempt, which a task of its own goes on with.
            let _ = endpoint.connection_or_attempt();
        }
        let mut failure = None;
        let mut reached = false;
        for endpoint in &self.endpoints {
            match endpoint.connected(None).await {
                Ok(_) => reached = true,
                Err(status) => failure = Some(status),
            }
        }
        match failure {
            Some(status) if !reached => Err(status),
            _ => Ok(()),
        }
    }

    /// Picks the endpoint with the fewest calls on their way, taking turns among equals; one that
    /// is out of reach only if all are.
    fn pick(&self) -> Option<&Arc<Endpoint>> {
        if let [only] = &self.endpoints[..] {
            return Some(only);
        }
        let start = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let count = self.endpoints.len().max(1);
        let turns = (0..count).map(|turn| start.wrapping_add(turn) % count);
        let candidates = turns.filter_map(|index| self.endpoints.get(index));
        candidates.min_by_key(|it| it.load().unwrap_or(usize::MAX))
    }
}

impl Service for Endpoints {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        let endpoint = self
            .pick()
            .ok_or_else(|| Status::unavailable("there is no endpoint"))?;
        let connection = endpoint.connected(request.first_deadline()).await?;
        connection.start(request).await
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        // Nearly always there is a connection, and the call's own future is all that is needed.
        let Some(endpoint) = self.pick() else {
            return Err(request);
        };
        if let Some(first) = endpoint.first.get()
            && first.is_open()
        {
            return Ok(first.start(request));
        }
        match endpoint.open_connection() {
            Some(connection) => Ok(connection.start(request)),
            None => Err(request),
        }
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

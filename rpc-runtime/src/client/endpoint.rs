//! One address: connected when it is needed, and again when the connection is lost.

#[cfg(all(test, feature = "http", feature = "jsonrpc"))]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::pool::Further;
use crate::call::{Cancellation, Request, deadline_in};
use crate::service::{BoxFuture, ResponseFuture};
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
    /// Opens the stream, to `ip` if the host was looked up already; TLS comes on top of it.
    async fn connect(&self, ip: Option<IpAddr>) -> std::io::Result<Io> {
        let tcp = |host: &str, port| {
            let host = ip.map_or_else(|| host.to_owned(), |ip| ip.to_string());
            Address::Tcp { host, port }
        };
        match self {
            Self::Address { address, .. } => match address {
                Address::Tcp { host, port } => transport::connect(&tcp(host, *port)).await,
                other => transport::connect(other).await,
            },
            #[cfg(feature = "tls")]
            Self::Tls { host, port, .. } => transport::connect(&tcp(host, *port)).await,
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
    /// Where its host is, if that was looked up already.
    ip: Option<IpAddr>,
    url: Arc<str>,
    config: Arc<Config>,
    connect_timeout: Duration,
    served: Option<Served>,
    /// The first connection that was made. Most channels never have another, and all their calls
    /// would meet at the lock.
    first: OnceLock<Arc<Connection>>,
    state: Mutex<State>,
    further: Further,
}

enum State {
    Idle,
    Connecting(Arc<Attempt>),
    Connected(Made),
    /// The last attempt failed, or what it made did not last; before `again` nothing is tried.
    Failed {
        attempts: u32,
        again: Instant,
        reason: Status,
    },
}

/// A connection that was made.
struct Made {
    connection: Arc<Connection>,
    /// How many attempts before it had failed, in a row.
    attempts: u32,
    since: Instant,
}

impl Made {
    /// Returns what comes when the connection is lost. One that ended soon, and before anything was answered
    /// on it, counts as an attempt that failed: whoever accepts connections need not serve them.
    fn lost(&self, endpoint: &Endpoint) -> State {
        if self.connection.has_answered() || self.since.elapsed() >= LONGEST_PAUSE {
            return State::Idle;
        }
        let text = "the server closed the connection before it had answered anything";
        State::Failed {
            attempts: self.attempts.saturating_add(1),
            again: match self.attempts.checked_sub(1) {
                // It may have been the last one of a server that was about to end.
                None => self.since,
                Some(attempts) => self.since + pause(attempts),
            },
            reason: endpoint.blame(Status::unavailable(text)),
        }
    }
}

type Outcome = Result<Arc<Connection>, Status>;

/// How ready an endpoint is for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readiness {
    /// It is connected, with so many calls on their way.
    Ready { calls: usize },
    /// It is being connected to, `again` after the last attempt has failed.
    Connecting { again: bool },
    /// It could not be reached, and it is not time to try again.
    Failed,
}

/// An attempt to connect that is on its way, for all who wait for it; they go on in the order in
/// which they came.
#[derive(Default)]
pub(super) struct Attempt {
    /// The one before has failed.
    again: bool,
    outcome: OnceLock<Outcome>,
    over: Cancellation,
}

impl Attempt {
    /// Waits until it has ended, well or not.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Endpoint {
    pub(super) fn new(
        destination: Destination,
        ip: Option<IpAddr>,
        config: Arc<Config>,
        connect_timeout: Duration,
        served: Option<Served>,
    ) -> Arc<Self> {
        let url = match ip {
            None => destination.to_string(),
            Some(ip) => format!("{destination} ({ip})"),
        };
        Arc::new(Self {
            url: Arc::from(url),
            destination,
            ip,
            config,
            connect_timeout,
            served,
            first: OnceLock::new(),
            state: Mutex::new(State::Idle),
            further: Further::default(),
        })
    }

    /// Makes an endpoint of the same destination, with a connection of its own.
    pub(super) fn sibling(&self) -> Arc<Self> {
        Self::new(
            self.destination.clone(),
            self.ip,
            Arc::clone(&self.config),
            self.connect_timeout,
            self.served.clone(),
        )
    }

    /// Returns the connections beside the endpoint's own.
    pub(super) fn further(&self) -> &Further {
        &self.further
    }

    pub(super) fn max_connections(&self) -> usize {
        self.config.max_connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is connected to, for people.
    pub(super) fn url(&self) -> &Arc<str> {
        &self.url
    }

    /// Returns how ready it is for a call. One that is not begins to connect, if it is time for
    /// that, so that it is ready for a later one.
    pub(super) fn readiness(self: &Arc<Self>) -> Readiness {
        match self.connection_or_attempt() {
            Ok(connection) => Readiness::Ready {
                calls: connection.calls() + self.further.calls(),
            },
            Err(Ok(attempt)) => Readiness::Connecting {
                again: attempt.again,
            },
            Err(Err(_)) => Readiness::Failed,
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

    /// Begins a call at once, if there is a connection with a place for it; else the request comes
    /// back.
    #[allow(
        clippy::result_large_err,
        reason = "nothing failed: the request comes back"
    )]
    pub(super) fn start(&self, request: Request) -> Result<ResponseFuture, Request> {
        if let Some(first) = self.first.get()
            && first.is_open()
        {
            if first.may_end_when_idle() {
                return Err(request);
            }
            let started = first.try_start(request);
            return started.or_else(|request| self.further.start(request));
        }
        match self.open_connection() {
            Some(connection) if !connection.may_end_when_idle() => {
                let started = connection.try_start(request);
                started.or_else(|request| self.further.start(request))
            }
            _ => Err(request),
        }
    }

    pub(super) fn open_connection(&self) -> Option<Arc<Connection>> {
        match &*self.state() {
            State::Connected(made) if made.connection.is_open() => {
                Some(Arc::clone(&made.connection))
            }
            _ => None,
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "the three ways it can be are its whole point"
    )]
    pub(super) fn connection_or_attempt(
        self: &Arc<Self>,
    ) -> Result<Arc<Connection>, Result<Arc<Attempt>, Status>> {
        let mut state = self.state();
        if let State::Connected(made) = &*state {
            if made.connection.is_open() {
                return Ok(Arc::clone(&made.connection));
            }
            *state = made.lost(self);
        }
        let attempts = match &*state {
            State::Connecting(attempt) => return Err(Ok(Arc::clone(attempt))),
            State::Failed { again, reason, .. } if *again > Instant::now() => {
                return Err(Err(reason.clone()));
            }
            State::Failed { attempts, .. } => *attempts,
            State::Connected(_) | State::Idle => 0,
        };
        let attempt = Arc::new(Attempt {
            again: attempts > 0,
            ..Attempt::default()
        });
        *state = State::Connecting(Arc::clone(&attempt));
        drop(state);
        self.begin(Arc::clone(&attempt), attempts);
        Err(Ok(attempt))
    }

    /// Begins an attempt behind so many that failed.
    fn begin(self: &Arc<Self>, attempt: Arc<Attempt>, attempts: u32) {
        let endpoint = Arc::clone(self);
        tokio::spawn(async move {
            let ending = Ending { endpoint, attempt };
            let outcome = ending.endpoint.attempt().await;
            ending.endpoint.settle(attempts, &outcome);
            let _ = ending.attempt.outcome.set(outcome);
        });
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
        let connected = timeout_at(deadline, self.destination.connect(self.ip)).await;
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
                State::Connected(Made {
                    connection: Arc::clone(connection),
                    attempts,
                    since: Instant::now(),
                })
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
pub(super) fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.min(16));
    let longest = doubled.min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

//! The standard health check of gRPC, on every wire: [`Health`].

mod service;
#[cfg(test)]
mod tests;
#[path = "schema/grpc.health.v1.rs"]
mod v1;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

pub(super) use service::HealthService;

/// What the service `grpc.health.v1.Health` says: which services can be called now
/// (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).
///
/// [`Server::health`](crate::Server::health) serves it, on every wire. A clone is a handle to the
/// same: keep one to say from elsewhere how a service is.
///
/// The server as a whole, whose name is empty, and everything that it serves are serving until
/// they are [set](Self::set_not_serving) otherwise. When a server begins to shut down, it
/// [drains](Self::drain) this by itself.
///
/// # Examples
///
/// ```
/// use rpc_runtime::Server;
/// use rpc_runtime::health::Health;
///
/// let health = Health::new();
/// let server = Server::new()
///     .function("hello", |name: String| async move { format!("Hello, {name}!") })
///     .health(health.clone());
/// // Later, when the database cannot be reached:
/// health.set_not_serving("users.v1.Users");
/// ```
#[derive(Clone)]
pub struct Health(Arc<watch::Sender<State>>);

/// The name of the server as a whole.
const OVERALL: &str = "";

struct State {
    /// Whether they are serving, by name.
    services: BTreeMap<String, bool>,
    draining: bool,
    /// Whoever watches is sent away.
    ending: bool,
    max_listed: usize,
    max_name: usize,
}

impl State {
    /// `None` for a service that is not known.
    fn is_serving(&self, service: &str) -> Option<bool> {
        let is_serving = self.services.get(service)?;
        Some(*is_serving && !self.draining)
    }
}

impl Health {
    /// Begins with a server that is serving.
    pub fn new() -> Self {
        let services = BTreeMap::from([(OVERALL.to_owned(), true)]);
        Self(Arc::new(watch::Sender::new(State {
            services,
            draining: false,
            ending: false,
            max_listed: 100,
            max_name: 1 << 10,
        })))
    }

    /// Bounds how many services `List` answers with; 100 by default, as its definition says. With
    /// more it fails with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
    #[must_use]
    pub fn max_listed(self, services: usize) -> Self {
        self.0.send_modify(|state| state.max_listed = services);
        self
    }

    /// Bounds the name of a service that a client may `Watch`, in bytes; 1,024 by default. A watch
    /// for a name that nobody serves lasts as well. A longer one is refused with
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument).
    #[must_use]
    pub fn max_name(self, bytes: usize) -> Self {
        self.0.send_modify(|state| state.max_name = bytes);
        self
    }

    /// Says that a service can be called, by its full name, such as `users.v1.Users`; the empty
    /// name is the server as a whole.
    pub fn set_serving(&self, service: impl Into<String>) {
        self.set(service.into(), true);
    }

    /// Says that a service cannot be called now: see [`set_serving`](Self::set_serving). Calls that
    /// come all the same are not refused.
    pub fn set_not_serving(&self, service: impl Into<String>) {
        self.set(service.into(), false);
    }

    /// Says that nothing can be called any more, for good.
    ///
    /// A server does so at the begin of its shutdown, which
    /// [`Server::drain_delay`](crate::Server::drain_delay) puts before the time when it accepts no more:
    /// for load balancers that look only from time to time.
    pub fn drain(&self) {
        self.0.send_modify(|state| state.draining = true);
    }

    /// Sends away whoever watches, too: a stream without an end would hold up the shutdown.
    pub(super) fn end(&self) {
        self.0.send_modify(|state| {
            state.draining = true;
            state.ending = true;
        });
    }

    fn set(&self, service: String, is_serving: bool) {
        self.0.send_modify(|state| {
            state.services.insert(service, is_serving);
        });
    }

    /// Adds what a server serves, as far as nothing was said of it yet.
    pub(super) fn add<'a>(&self, services: impl Iterator<Item = &'a str>) {
        self.0.send_modify(|state| {
            for service in services {
                state.services.entry(service.to_owned()).or_insert(true);
            }
        });
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("Health")
            .field("services", &state.services)
            .field("draining", &state.draining)
            .finish()
    }
}

//! A registry that keeps what it knows in Redis.

mod connection;
mod news;
mod store;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::redis::Client;
use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use self::news::{News, listen};
use self::store::{Settings, Store};
use super::directory::{Bounds, milliseconds};
use super::service::{RegistryService, RegistryServiceServer};
use crate::server::Unfold;
use crate::status::Status;

/// What the names of keys begin with where nobody says otherwise. The braces keep all of them in one slot
/// of a cluster.
const PREFIX: &str = "{rpc-registry}:";

/// How long Redis is not asked again, if it says nothing.
const QUIET: Duration = Duration::from_secs(5);

/// A registry that keeps what it knows in Redis (feature `registry-redis`), so that it survives a restart,
/// and several of them are one. A clone is a handle to the same.
///
/// Leases end by the clock of Redis. Redis is connected to by the first call, and again when the connection
/// is lost; calls in between fail with [`Code::Unavailable`](crate::Code::Unavailable), each after 5 seconds at
/// most where Redis says nothing. Where Redis keeps
/// nothing itself over its own restart, servers register again within a third of their leases, and
/// clients keep those that they know meanwhile, as with a [`Registry`](super::Registry) that forgets.
/// Redis 5 or newer is needed; what it answers is trusted.
///
/// # Examples
///
/// A registry of its own, which servers and clients reach over any wire:
///
/// ```no_run
/// use rpc_runtime::Server;
/// use rpc_runtime::registry::RedisRegistry;
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = RedisRegistry::open("redis://127.0.0.1:6379")?;
/// Server::new().add(registry.service()).listen("tcp://0.0.0.0:7000").serve().await?;
/// # Ok(()) }
/// ```
///
/// Or in each process, with Redis between them:
///
/// ```no_run
/// use rpc_runtime::registry::{RedisRegistry, Registered};
/// use rpc_runtime::{Channel, Status};
///
/// # async fn connect() -> Result<Channel, Status> {
/// let registry = RedisRegistry::open("redis://127.0.0.1:6379")?;
/// let registry = Channel::new(registry.service());
/// Channel::connect(Registered::new("math", &registry)).await
/// # }
/// ```
#[derive(Clone)]
pub struct RedisRegistry(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    news: Arc<watch::Sender<News>>,
    /// Begins with the first who watches.
    listening: OnceLock<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.get() {
            listening.abort();
        }
    }
}

impl RedisRegistry {
    /// Makes a registry in the Redis at a URL, such as `redis://user:password@host:6379/0` or
    /// `unix:///path`; for up to 1,000 groups of up to 10,000 servers with leases of up to 10 minutes.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) for a URL that cannot be used.
    pub fn open(url: &str) -> Result<Self, Status> {
        let client = Client::open(url).map_err(|error| {
            Status::invalid_argument("the URL of Redis cannot be used").with_source(error)
        })?;
        Ok(Self::of(Settings {
            client,
            prefix: Arc::from(PREFIX),
            bounds: Bounds::default(),
        }))
    }

    /// Sets the bounds, as [`Registry::with_bounds`](super::Registry::with_bounds) does. Registries of one
    /// Redis should have the same.
    #[must_use]
    pub fn bounds(self, groups: usize, servers: usize, longest_lease: Duration) -> Self {
        let bounds = Bounds::new(groups, servers, longest_lease);
        let settings = self.0.store.settings.clone();
        Self::of(Settings { bounds, ..settings })
    }

    /// Sets what the names of keys begin with, `{rpc-registry}:` by default: registries with different
    /// ones know nothing of each other.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        let settings = self.0.store.settings.clone();
        Self::of(Settings {
            prefix: Arc::from(prefix),
            ..settings
        })
    }

    fn of(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            store: Arc::new(Store::new(settings)),
            news: Arc::default(),
            listening: OnceLock::new(),
        }))
    }

    /// Returns the service, for [`Server::add`](crate::Server::add) or
    /// [`Channel::new`](crate::Channel::new).
    pub fn service(&self) -> RegistryServiceServer<Self> {
        RegistryServiceServer::new(self.clone())
    }

    /// Returns the URLs of a group's servers now, in alphabetical order.
    ///
    /// # Errors
    ///
    /// A Redis that cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn servers(&self, group: &str) -> Result<Vec<String>, Status> {
        Ok(self.0.store.servers(group).await?.0)
    }

    fn listen(&self) {
        self.0.listening.get_or_init(|| {
            let listening = listen(Arc::clone(&self.0.store), Arc::clone(&self.0.news));
            tokio::spawn(listening).abort_handle()
        });
    }
}

impl fmt::Debug for RedisRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisRegistry")
    }
}

impl RegistryService for RedisRegistry {
    async fn register(&self, group: String, url: String, lease: u64) -> Result<u64, Status> {
        let lease = Duration::from_millis(lease);
        let granted = self.0.store.register(&group, &url, lease).await?;
        Ok(milliseconds(granted))
    }

    async fn remove(&self, group: String, url: String) -> Result<(), Status> {
        self.0.store.remove(&group, &url).await
    }

    fn watch(&self, group: String) -> impl Stream<Item = Result<Vec<String>, Status>> {
        self.listen();
        let watching = Watching {
            news: self.0.news.subscribe(),
            registry: self.clone(),
            group,
            told: None,
        };
        Unfold::new(watching, |watching| Box::pin(watching.next()))
    }
}

/// One who watches a group.
struct Watching {
    registry: RedisRegistry,
    news: watch::Receiver<News>,
    group: String,
    /// What they were told last.
    told: Option<Vec<String>>,
}

impl Watching {
    /// Waits until there is something to tell; fails when Redis is lost, as who watches then knows for how
    /// long what they were told counts.
    async fn next(mut self) -> Result<(Self, Vec<String>), Status> {
        loop {
            if let Some(lost) = &self.news.borrow_and_update().lost {
                return Err(lost.clone());
            }
            let (servers, end) = self.registry.0.store.servers(&self.group).await?;
            if self.told.as_ref() != Some(&servers) {
                self.told = Some(servers.clone());
                return Ok((self, servers));
            }
            let quiet = end.map_or(QUIET, |it| it.min(QUIET));
            // The sender is in the registry that this holds.
            let _ = timeout(quiet.max(Duration::from_millis(1)), self.news.changed()).await;
        }
    }
}

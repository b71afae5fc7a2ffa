//! The service, which answers from the directory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::directory::{Bounds, Directory, milliseconds};
use crate::server::Unfold;
use crate::{Status, rpc_service};

/// Knows where servers are.
#[rpc_service(name = "rpc.registry.v1.Registry", crate = crate)]
pub trait RegistryService {
    /// Registers a server of a group for so many milliseconds, or renews its lease. Answers the length of the
    /// lease in milliseconds, within which it is to be renewed: a registry may grant less than it is asked for.
    #[rpc(idempotent)]
    async fn register(&self, group: String, url: String, lease: u64) -> Result<u64, Status>;

    /// Forgets a server, as its lease does when it ends.
    #[rpc(idempotent)]
    async fn remove(&self, group: String, url: String) -> Result<(), Status>;

    /// Streams the URLs of a group's servers: those there are, and again whenever that changes.
    #[rpc(read_only)]
    fn watch(&self, group: String) -> impl Stream<Item = Result<Vec<String>, Status>>;
}

/// A registry that keeps what it knows in memory. A clone is a handle to the same.
#[derive(Clone)]
pub struct Registry {
    directory: Arc<Mutex<Directory>>,
    /// Counts the changes, for those who watch.
    changes: Arc<watch::Sender<u64>>,
}

impl Registry {
    /// Makes a registry that knows nothing yet, for up to 1,000 groups of up to 10,000 servers with
    /// leases of up to 10 minutes.
    pub fn new() -> Self {
        Self::of(Bounds::default())
    }

    /// Makes a registry for so many groups of so many servers, with leases of up to so long. One who asks
    /// for a longer one is told what they got, and a [`Lease`](super::Lease) is renewed by that. Servers beyond
    /// the bounds are refused with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
    pub fn with_bounds(groups: usize, servers: usize, longest_lease: Duration) -> Self {
        Self::of(Bounds::new(groups, servers, longest_lease))
    }

    fn of(bounds: Bounds) -> Self {
        Self {
            directory: Arc::new(Mutex::new(Directory::new(bounds))),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Returns the service, for [`Server::add`](crate::Server::add).
    pub fn service(&self) -> RegistryServiceServer<Self> {
        RegistryServiceServer::new(self.clone())
    }

    /// Returns the URLs of a group's servers now, in alphabetical order.
    pub fn servers(&self, group: &str) -> Vec<String> {
        self.directory().servers(group, Instant::now()).0
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

impl RegistryService for Registry {
    async fn register(&self, group: String, url: String, lease: u64) -> Result<u64, Status> {
        let lease = Duration::from_millis(lease);
        let granted = self
            .directory()
            .register(&group, &url, lease, Instant::now())?;
        if granted.is_news {
            self.changes.send_modify(|it| *it += 1);
        }
        Ok(milliseconds(granted.lease))
    }

    async fn remove(&self, group: String, url: String) -> Result<(), Status> {
        if self.directory().remove(&group, &url) {
            self.changes.send_modify(|it| *it += 1);
        }
        Ok(())
    }

    fn watch(&self, group: String) -> impl Stream<Item = Result<Vec<String>, Status>> {
        let watching = Watching {
            registry: self.clone(),
            changes: self.changes.subscribe(),
            group,
            told: None,
        };
        Unfold::new(watching, |watching| Box::pin(watching.next()))
    }
}

/// One who watches a group.
struct Watching {
    registry: Registry,
    changes: watch::Receiver<u64>,
    group: String,
    /// What they were told last.
    told: Option<Vec<String>>,
}

impl Watching {
    /// Waits until there is something to tell.
    async fn next(mut self) -> Result<(Self, Vec<String>), Status> {
        loop {
            self.changes.mark_unchanged();
            let now = Instant::now();
            let (servers, end) = self.registry.directory().servers(&self.group, now);
            if self.told.as_ref() != Some(&servers) {
                self.told = Some(servers.clone());
                return Ok((self, servers));
            }
            let changed = self.changes.changed();
            // The sender is in the registry that this holds.
            let _ = match end {
                Some(end) => timeout_at(end, changed).await.unwrap_or(Ok(())),
                None => changed.await,
            };
        }
    }
}

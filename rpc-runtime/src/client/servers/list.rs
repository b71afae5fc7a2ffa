//! The list of servers, and what keeps it up to date.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::discover::{BoxDiscover, Instance};
use super::hash::{mix, of_text};
use super::node::Node;
use super::{Spread, no_servers};
use crate::client::endpoint::{Endpoint, pause};
use crate::status::{Phase, Status};

/// The most servers of a channel; further ones are not used, and the log says so.
const MAX_SERVERS: usize = 10_000;

/// Where servers come from, and how each is connected to.
pub(in crate::client) struct Source {
    pub(in crate::client) discover: BoxDiscover,
    pub(in crate::client) make: MakeEndpoint,
}

type MakeEndpoint = Box<dyn Fn(&Instance) -> Result<Arc<Endpoint>, Status> + Send + Sync>;

/// The servers that are known.
pub(super) struct List {
    shared: Arc<Shared>,
    /// What nobody has begun to ask: that takes a runtime, which the first call has.
    finding: Mutex<Option<Finding>>,
    asking: OnceLock<AbortHandle>,
}

/// What finds servers, and which of them are used, how.
struct Finding {
    source: Source,
    spread: Spread,
    subset: Subset,
}

type Nodes = Arc<[Arc<Node>]>;

/// The list, and who waits for it. Not a `watch`, which wakes those who wait in any order.
struct Shared {
    known: Mutex<Known>,
    changed: Notify,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known());
        self.changed.notify_waiters();
    }

    /// Waits for a list, or for the reason why there is none.
    async fn first(&self) -> Result<Nodes, Status> {
        let mut changed = pin!(self.changed.notified());
        loop {
            changed.as_mut().enable();
            let (nodes, missing) = {
                let known = self.known();
                (Arc::clone(&known.nodes), known.missing.clone())
            };
            match missing {
                _ if !nodes.is_empty() => return Ok(nodes),
                Some(reason) => return Err(reason),
                None => changed.as_mut().await,
            }
            changed.set(self.changed.notified());
        }
    }
}

struct Known {
    nodes: Nodes,
    /// Why there are none.
    missing: Option<Status>,
}

/// Which servers of all a client uses, so that not each of many clients connects to each of many
/// servers.
#[derive(Clone, Copy)]
struct Subset {
    size: usize,
    /// Other clients have another.
    client: u64,
}

impl Subset {
    fn new(size: usize) -> Self {
        Self {
            size: size.min(MAX_SERVERS),
            client: fastrand::u64(..),
        }
    }

    /// Keeps the first by their priorities, and then by a random order, in which a server keeps its place
    /// when others change.
    fn keep<T>(self, servers: &mut Vec<T>, name: impl Fn(&T) -> (u16, u64)) {
        if servers.len() > self.size {
            servers.sort_by_cached_key(|it| {
                let (priority, hash) = name(it);
                (priority, mix(hash, self.client))
            });
            servers.truncate(self.size);
        }
    }
}

impl List {
    pub(super) fn listed(mut nodes: Vec<Arc<Node>>, subset: usize) -> Self {
        let subset = Subset::new(subset);
        subset.keep(&mut nodes, |it| (it.rank().priority, it.hash));
        Self::new(nodes.into(), None)
    }

    pub(super) fn discovered(source: Source, spread: Spread) -> Self {
        let finding = Finding {
            source,
            subset: Subset::new(spread.subset),
            spread,
        };
        Self::new(Arc::new([]), Some(finding))
    }

    fn new(nodes: Nodes, finding: Option<Finding>) -> Self {
        let missing = None;
        Self {
            shared: Arc::new(Shared {
                known: Mutex::new(Known { nodes, missing }),
                changed: Notify::new(),
            }),
            finding: Mutex::new(finding),
            asking: OnceLock::new(),
        }
    }

    /// Returns the servers that are known now.
    pub(super) fn known(&self) -> Nodes {
        Arc::clone(&self.shared.known().nodes)
    }

    /// Returns the servers, waiting for the first list if it has not come yet.
    pub(super) async fn nodes(&self, deadline: Option<Instant>) -> Result<Nodes, Status> {
        self.ask();
        let first = self.shared.first();
        match deadline {
            None => first.await,
            Some(deadline) => timeout_at(deadline, first).await.unwrap_or_else(|_| {
                let text = "the deadline passed before the servers were known";
                Err(Status::deadline_exceeded(text).in_phase(Phase::Connect))
            }),
        }
    }

    /// Begins to ask where the servers are, if nobody has.
    fn ask(&self) {
        let finding = self.finding.lock();
        if let Some(finding) = finding.unwrap_or_else(PoisonError::into_inner).take() {
            let following = follow(Arc::clone(&self.shared), finding);
            let _ = self.asking.set(tokio::spawn(following).abort_handle());
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(task) = self.asking.get() {
            task.abort();
        }
    }
}

async fn follow(shared: Arc<Shared>, mut finding: Finding) {
    let mut failures = 0;
    loop {
        match finding.source.discover.next_boxed().await {
            Ok(instances) => {
                failures = 0;
                let nodes = Arc::clone(&shared.known().nodes);
                let nodes = updated(&nodes, instances, &finding);
                let missing = nodes.is_empty().then(no_servers);
                tracing::debug!(servers = nodes.len(), "the servers have changed");
                shared.change(|it| *it = Known { nodes, missing });
            }
            Err(error) => {
                let status = Status::unavailable("the servers cannot be found")
                    .with_source(error)
                    .into_not_started()
                    .in_phase(Phase::Connect);
                tracing::warn!(%status, "the servers stay as they were");
                shared.change(|it| it.missing = Some(status));
                sleep(pause(failures).max(Duration::from_millis(1))).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// Makes the new list: servers that stay keep their connections.
fn updated(nodes: &Nodes, mut instances: Vec<Instance>, finding: &Finding) -> Nodes {
    let known: HashMap<_, _> = nodes.iter().map(|it| (&it.instance, it)).collect();
    let mut seen = std::collections::HashSet::new();
    instances.retain(|it| seen.insert(it.clone()));
    if instances.len() > MAX_SERVERS {
        let all = instances.len();
        tracing::warn!(all, used = MAX_SERVERS, "there are too many servers");
    }
    finding.subset.keep(&mut instances, |it| {
        let name = format!("{} {:?}", it.url, it.ip);
        (it.rank.priority, of_text(name.as_bytes()))
    });
    let node = |instance: Instance| match known.get(&instance) {
        Some(node) => {
            node.set_rank(instance.rank);
            Some(Arc::clone(node))
        }
        None => match (finding.source.make)(&instance) {
            Ok(endpoint) => Some(finding.spread.node(instance, endpoint)),
            Err(status) => {
                tracing::warn!(server = instance.url, %status, "a server is not used");
                None
            }
        },
    };
    instances.into_iter().filter_map(node).collect()
}

//! Servers that a registry knows.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::service::RegistryServiceClient;
use crate::call::FAR_AHEAD;
use crate::client::{Channel, Discover, Instance, IntoTarget, ResponseStream, Target};
use crate::status::Status;

/// How long servers are kept that a registry does not know when it comes back.
const HOLD: Duration = Duration::from_secs(10);

/// Finds servers in a registry, and again whenever they change: see [`registry`](super).
///
/// When the registry cannot be reached, the servers stay as they were. One that comes back may have
/// forgotten them, so those that it knew before are kept for 10 seconds more, in which they register
/// again.
pub struct Registered {
    group: String,
    registry: RegistryServiceClient,
    changes: Option<ResponseStream<Vec<String>>>,
    /// What the registry said last.
    known: Vec<String>,
    /// What it said before it was out of reach, and until when that counts, once it is back.
    before: Option<(Vec<String>, Option<Instant>)>,
    hold: Duration,
}

impl Registered {
    /// Follows the servers of a group through a channel to the registry.
    pub fn new(group: impl Into<String>, registry: &Channel) -> Self {
        Self {
            group: group.into(),
            registry: RegistryServiceClient::new(registry.clone()),
            changes: None,
            known: Vec::new(),
            before: None,
            hold: HOLD,
        }
    }

    /// Sets how long servers are kept that a registry does not know when it comes back, 10 seconds by
    /// default; it should be the length of their leases.
    #[must_use]
    pub fn hold(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    /// Waits for what the registry says next.
    async fn hear(&mut self) -> Result<(), Status> {
        let changes = self
            .changes
            .get_or_insert_with(|| self.registry.watch(self.group.clone()));
        match changes.next().await {
            Some(Ok(servers)) => {
                self.known = servers;
                if let Some((_, end @ None)) = &mut self.before {
                    *end = Some(Instant::now() + self.hold.min(FAR_AHEAD));
                }
                Ok(())
            }
            ended => {
                self.changes = None;
                let known = std::mem::take(&mut self.known);
                let (before, end) = self.before.get_or_insert_default();
                before.extend(known);
                before.sort();
                before.dedup();
                *end = None;
                let lost = Status::unavailable("the registry ended the stream");
                Err(ended.and_then(Result::err).unwrap_or(lost))
            }
        }
    }

    fn servers(&self) -> Vec<Instance> {
        let before = self.before.iter().flat_map(|(urls, _)| urls);
        let mut urls: Vec<_> = self.known.iter().chain(before).collect();
        urls.sort();
        urls.dedup();
        urls.into_iter().map(Instance::new).collect()
    }
}

impl Discover for Registered {
    type Error = Status;

    async fn next(&mut self) -> Result<Vec<Instance>, Status> {
        match self.before.as_ref().and_then(|(_, end)| *end) {
            None => self.hear().await?,
            Some(end) => match timeout_at(end, self.hear()).await {
                Ok(heard) => heard?,
                Err(_) => self.before = None,
            },
        }
        Ok(self.servers())
    }
}

impl IntoTarget for Registered {
    fn into_target(self) -> Target {
        Target::discovered(self)
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("group", &self.group)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

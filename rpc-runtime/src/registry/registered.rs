//! Servers that a registry knows.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::service::RegistryServiceClient;
use crate::call::deadline_after;
use crate::client::{Channel, Discover, Instance, IntoTarget, ResponseStream, Target};
use crate::status::Status;

/// How long servers are kept that a registry does not know when it comes back.
const HOLD: Duration = Duration::from_secs(10);

/// A registry that was back counts for so much of it at least.
const LEAST_SHARE: u32 = 10;

/// The most servers that are kept which a registry does not know: as many as a channel has.
const MAX_SERVERS: usize = 10_000;

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
    /// What it does not know any more since it was out of reach, and for how long each still counts while it
    /// can be reached.
    missed: BTreeMap<String, Duration>,
    /// Since when the registry is back.
    back: Option<Instant>,
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
            missed: BTreeMap::new(),
            back: None,
            hold: HOLD,
        }
    }

    /// Sets how long servers are kept that a registry does not know when it comes back, 10 seconds by
    /// default; it should be the length of their leases. Of a registry that goes away again and again the
    /// times count together in which it was back, each as a tenth of this at least.
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
                self.back.get_or_insert_with(Instant::now);
                for url in &servers {
                    self.missed.remove(url);
                }
                self.known = servers;
                Ok(())
            }
            ended => {
                self.changes = None;
                self.lose();
                let lost = Status::unavailable("the registry ended the stream");
                Err(ended.and_then(Result::err).unwrap_or(lost))
            }
        }
    }

    /// Notes that the registry is out of reach: what it knew may be what it knows again.
    fn lose(&mut self) {
        if let Some(back) = self.back.take() {
            // It counts also where it is gone as soon as it is back, as that would go on for ever.
            let counts = back.elapsed().max(self.hold / LEAST_SHARE);
            self.missed.retain(|_, left| {
                *left = left.saturating_sub(counts);
                !left.is_zero()
            });
        }
        for url in std::mem::take(&mut self.known) {
            self.missed.insert(url, self.hold);
        }
        let too_many = self.missed.len().saturating_sub(MAX_SERVERS);
        if too_many > 0 {
            let left = |(url, left): (&String, &Duration)| (*left, url.clone());
            let mut oldest: Vec<_> = self.missed.iter().map(left).collect();
            oldest.sort_unstable();
            for (_, url) in oldest.iter().take(too_many) {
                self.missed.remove(url);
            }
        }
    }

    /// Returns when the next of those ends that are missed.
    fn next_end(&self) -> Option<Instant> {
        let left = self.missed.values().min()?;
        Some(deadline_after(self.back?, *left))
    }

    /// Lets go of those that were missed for long enough.
    fn forget(&mut self) {
        let over = self.back.map_or(Duration::ZERO, |it| it.elapsed());
        self.missed.retain(|_, left| *left > over);
    }

    fn servers(&self) -> Vec<Instance> {
        let mut urls: Vec<_> = self.known.iter().chain(self.missed.keys()).collect();
        urls.sort();
        urls.dedup();
        urls.into_iter().map(Instance::new).collect()
    }
}

impl Discover for Registered {
    type Error = Status;

    async fn next(&mut self) -> Result<Vec<Instance>, Status> {
        match self.next_end() {
            None => self.hear().await?,
            Some(end) => match timeout_at(end, self.hear()).await {
                Ok(heard) => heard?,
                Err(_) => self.forget(),
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

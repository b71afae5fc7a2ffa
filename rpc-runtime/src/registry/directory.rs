//! What a registry knows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{FAR_AHEAD, deadline_after};
use crate::status::Status;

/// What a registry takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) groups: usize,
    pub(super) servers: usize,
    pub(super) longest_lease: Duration,
}

impl Bounds {
    pub(super) fn new(groups: usize, servers: usize, longest_lease: Duration) -> Self {
        Self {
            groups,
            servers,
            longest_lease: longest_lease.max(SHORTEST_LEASE),
        }
    }

    /// Returns the lease that is given to one who asks for this.
    pub(super) fn lease(&self, asked: Duration) -> Duration {
        // Also one without an end has a time at which it ends.
        asked
            .clamp(SHORTEST_LEASE, self.longest_lease)
            .min(FAR_AHEAD)
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new(1_000, 10_000, Duration::from_secs(600))
    }
}

/// The shortest lease: renewing is work for the registry.
pub(super) const SHORTEST_LEASE: Duration = Duration::from_millis(100);

/// The longest name of a group, and the longest URL.
const MAX_TEXT: usize = 1_024;

/// What a server got that registered, or renewed its lease.
pub(super) struct Granted {
    /// The length of the lease, which may be another than it asked for.
    pub(super) lease: Duration,
    /// Whether those who watch have to look: there is a server, or one may be gone earlier than they know.
    pub(super) is_news: bool,
}

/// Servers by the name of their group, each with the end of its lease.
pub(super) struct Directory {
    bounds: Bounds,
    groups: HashMap<String, BTreeMap<String, Instant>>,
}

impl Directory {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            groups: HashMap::new(),
        }
    }

    /// Registers a server, or renews its lease.
    pub(super) fn register(
        &mut self,
        group: &str,
        url: &str,
        lease: Duration,
        now: Instant,
    ) -> Result<Granted, Status> {
        check_texts(&[group, url])?;
        let lease = self.bounds.lease(lease);
        let end = deadline_after(now, lease);
        let granted = |is_news| Ok(Granted { lease, is_news });
        if !self.groups.contains_key(group) && self.groups.len() >= self.bounds.groups {
            self.forget(now);
            if self.groups.len() >= self.bounds.groups {
                return Err(full("groups", self.bounds.groups));
            }
        }
        let servers = self.groups.entry(group.to_owned()).or_default();
        if let Some(known) = servers.get_mut(url) {
            let is_news = *known <= now || end < *known;
            *known = end;
            return granted(is_news);
        }
        if servers.len() >= self.bounds.servers {
            servers.retain(|_, end| *end > now);
        }
        if servers.len() >= self.bounds.servers {
            return Err(full("servers of a group", self.bounds.servers));
        }
        servers.insert(url.to_owned(), end);
        granted(true)
    }

    /// Forgets a server; returns whether it was known.
    pub(super) fn remove(&mut self, group: &str, url: &str) -> bool {
        let Some(servers) = self.groups.get_mut(group) else {
            return false;
        };
        let was_known = servers.remove(url).is_some();
        if servers.is_empty() {
            self.groups.remove(group);
        }
        was_known
    }

    /// Returns the servers of a group, and when the first of their leases ends.
    pub(super) fn servers(&self, group: &str, now: Instant) -> (Vec<String>, Option<Instant>) {
        let Some(servers) = self.groups.get(group) else {
            return (Vec::new(), None);
        };
        let alive = || servers.iter().filter(|(_, end)| **end > now);
        let urls = alive().map(|(url, _)| url.clone()).collect();
        (urls, alive().map(|(_, end)| *end).min())
    }

    /// Drops what is over everywhere.
    fn forget(&mut self, now: Instant) {
        self.groups.retain(|_, servers| {
            servers.retain(|_, end| *end > now);
            !servers.is_empty()
        });
    }
}

/// Returns a time as the service says it.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Checks names of groups and URLs.
pub(super) fn check_texts(texts: &[&str]) -> Result<(), Status> {
    for text in texts {
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(Status::invalid_argument(format!(
                "the name of a group and a URL have 1 to {MAX_TEXT} bytes, found {}",
                text.len()
            )));
        }
    }
    Ok(())
}

pub(super) fn full(what: &str, limit: usize) -> Status {
    Status::resource_exhausted(format!("the registry has its limit of {limit} {what}"))
}

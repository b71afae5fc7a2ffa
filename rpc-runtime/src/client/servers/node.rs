//! One of several servers, with what its calls tell of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::discover::{Instance, Rank};
use super::hash::of_text;
#[cfg(feature = "health")]
use super::health::{Checked, HealthCheck};
use crate::client::endpoint::Endpoint;
use crate::status::Status;

/// How fast a latency that is lower than the one before counts.
const MEMORY: Duration = Duration::from_secs(10);

/// The longest time that a server is left out.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// When a server is left out because its calls fail.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Ejection {
    pub(in crate::client) failures: u32,
    pub(in crate::client) pause: Duration,
}

/// One of several servers.
pub(super) struct Node {
    pub(super) instance: Instance,
    pub(super) endpoint: Arc<Endpoint>,
    /// What decides which values of metadata belong to it.
    pub(super) hash: u64,
    /// Its [`Rank`], which can change while it stays: the priority, then 32 bits of weight.
    rank: AtomicU64,
    /// Calls that failed since the last one that did not.
    failures: AtomicU32,
    past: Mutex<Past>,
    #[cfg(feature = "health")]
    checked: Option<Checked>,
}

#[derive(Default)]
struct Past {
    /// Seconds, and when they were noted.
    latency: Option<(f64, Instant)>,
    /// How often it was left out since a call went well.
    ejections: u32,
    left_out_until: Option<Instant>,
}

impl Node {
    pub(super) fn new(instance: Instance, endpoint: Arc<Endpoint>) -> Self {
        Self {
            hash: of_text(endpoint.url().as_bytes()),
            rank: AtomicU64::new(packed(instance.rank)),
            instance,
            endpoint,
            failures: AtomicU32::new(0),
            past: Mutex::default(),
            #[cfg(feature = "health")]
            checked: None,
        }
    }

    /// Returns which calls it gets beside others.
    pub(super) fn rank(&self) -> Rank {
        let packed = self.rank.load(Ordering::Relaxed);
        Rank {
            priority: (packed >> 32) as u16,
            weight: packed as u32,
        }
    }

    pub(super) fn set_rank(&self, rank: Rank) {
        self.rank.store(packed(rank), Ordering::Relaxed);
    }

    /// Has the server asked whether it can be called.
    #[cfg(feature = "health")]
    pub(super) fn checked(mut self, check: Option<&HealthCheck>) -> Self {
        self.checked = check.cloned().map(Checked::new);
        self
    }

    /// Returns whether the server is healthy, as far as it is asked; `None` while that is not known.
    pub(super) fn is_healthy(&self) -> Option<bool> {
        #[cfg(feature = "health")]
        if let Some(checked) = &self.checked {
            return checked.is_healthy(&self.endpoint);
        }
        Some(true)
    }

    /// Waits until calls may go there.
    ///
    /// # Errors
    ///
    /// Why none may.
    pub(super) async fn ready(&self, deadline: Option<Instant>) -> Result<(), Status> {
        self.endpoint.connected(deadline).await?;
        #[cfg(feature = "health")]
        if let Some(checked) = &self.checked {
            checked.healthy(&self.endpoint, deadline).await?;
        }
        Ok(())
    }

    /// Returns why no call can go there now, if that is so.
    pub(super) fn refusal(&self) -> Option<Status> {
        if let Err(Err(reason)) = self.endpoint.connection_or_attempt() {
            return Some(reason);
        }
        #[cfg(feature = "health")]
        if let Some(checked) = &self.checked {
            return checked.refusal(&self.endpoint);
        }
        None
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it is left out now.
    pub(super) fn is_ejected(&self) -> bool {
        let failures = self.failures.load(Ordering::Relaxed);
        failures > 0
            && self
                .past()
                .left_out_until
                .is_some_and(|it| it > Instant::now())
    }

    /// Notes an answer that took so long.
    pub(super) fn succeeded(&self, taken: Duration) {
        self.failures.store(0, Ordering::Relaxed);
        let now = Instant::now();
        let mut past = self.past();
        past.ejections = 0;
        past.left_out_until = None;
        let taken = taken.as_secs_f64();
        let latency = match past.latency {
            // A peak counts at once.
            Some((before, at)) if taken < before => {
                let weight = weight_of_past(now.saturating_duration_since(at));
                before * weight + taken * (1.0 - weight)
            }
            _ => taken,
        };
        past.latency = Some((latency, now));
    }

    /// Notes that somebody did not wait for an answer any more after so long: it takes longer than that.
    pub(super) fn given_up(&self, taken: Duration) {
        let now = Instant::now();
        let mut past = self.past();
        let taken = taken.as_secs_f64();
        if past.latency_at(now).is_none_or(|it| it < taken) {
            past.latency = Some((taken, now));
        }
    }

    /// Notes a failure; returns whether it is one too many. Of a server that was left out already
    /// the first is, until a call goes well.
    pub(super) fn failed(&self, ejection: Ejection) -> bool {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        before.saturating_add(1) >= ejection.failures && !self.is_ejected()
    }

    /// Leaves it out for a while, which doubles each time.
    pub(super) fn eject(&self, ejection: Ejection) {
        let mut past = self.past();
        let doubled = 1_u32 << past.ejections.min(16);
        let pause = ejection.pause.saturating_mul(doubled).min(LONGEST_PAUSE);
        // Clients that saw the same do not all come back at once.
        let pause = pause.mul_f64(0.75 + 0.5 * fastrand::f64());
        past.ejections = past.ejections.saturating_add(1);
        past.left_out_until = Some(Instant::now() + pause);
        tracing::warn!(server = %self.endpoint.url(), ?pause, "a server fails too often and is left out");
    }

    /// Returns about how long an answer takes, in seconds; nothing before there was one.
    pub(super) fn latency(&self) -> Option<f64> {
        self.past().latency_at(Instant::now())
    }
}

impl Past {
    fn latency_at(&self, now: Instant) -> Option<f64> {
        let (latency, at) = self.latency?;
        // So that a server which was slow once is tried again.
        Some(latency * weight_of_past(now.saturating_duration_since(at)))
    }
}

fn packed(rank: Rank) -> u64 {
    u64::from(rank.priority) << 32 | u64::from(rank.weight)
}

fn weight_of_past(age: Duration) -> f64 {
    (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

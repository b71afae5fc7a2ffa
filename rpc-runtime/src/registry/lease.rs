//! A server's place in a registry, kept as long as the server lives.

use std::fmt;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::directory::{SHORTEST_LEASE, milliseconds};
use super::service::RegistryServiceClient;
use crate::call::{Cancellation, deadline_after};
use crate::client::Channel;
use crate::status::Status;

/// How long a lease is where nobody says otherwise.
const LEASE: Duration = Duration::from_secs(10);

/// How often a lease is renewed before it would end.
const RENEWALS: u32 = 3;

/// How long a renewal that is on its way may take when the lease is to end.
const LAST_RENEWAL: Duration = Duration::from_secs(5);

/// A server's place in a registry: see [`registry`](super).
#[derive(Clone, Debug)]
pub struct Lease {
    group: String,
    url: String,
    length: Duration,
}

impl Lease {
    /// Describes a server of a group, such as the name of a service, by the URL at which clients reach
    /// it.
    pub fn new(group: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            url: url.into(),
            length: LEASE,
        }
    }

    /// Sets after how long a server that does not renew is forgotten, 10 seconds by default. It renews
    /// three times in each, and what is not answered by the next time counts as lost. At least 100 ms; where
    /// the registry grants less, that is what is renewed.
    #[must_use]
    pub fn length(mut self, length: Duration) -> Self {
        self.length = length.max(SHORTEST_LEASE);
        self
    }

    /// Registers, and renews in a task of its own until what this returns is dropped. What fails there is
    /// tried again, and said in the log.
    ///
    /// # Errors
    ///
    /// What the first time failed with; nothing is registered then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the server registered for the length of the lease.
    pub async fn keep(self, registry: &Channel) -> Result<KeptLease, Status> {
        let registry = RegistryServiceClient::new(registry.clone());
        let begun = Instant::now();
        let granted = self.register(&registry, self.length).await?;
        let stop = Cancellation::new();
        let renewing = Renewing {
            lease: self.clone(),
            registry: registry.clone(),
            granted,
            begun,
        };
        let renewing = renewing.run(stop.clone());
        Ok(KeptLease {
            lease: self,
            registry,
            renewing: tokio::spawn(renewing),
            stop,
        })
    }

    /// Registers, or renews; returns the length that was granted.
    async fn register(
        &self,
        registry: &RegistryServiceClient,
        patience: Duration,
    ) -> Result<Duration, Status> {
        let length = milliseconds(self.length);
        let call = registry.register(self.group.clone(), self.url.clone(), length);
        let granted = Duration::from_millis(call.timeout(patience).await?);
        // A registry that grants next to nothing is not asked without a pause.
        Ok(granted.clamp(SHORTEST_LEASE, self.length))
    }
}

/// What renews a lease.
struct Renewing {
    lease: Lease,
    registry: RegistryServiceClient,
    granted: Duration,
    /// When the last renewal began: the lease may count from then on.
    begun: Instant,
}

impl Renewing {
    /// Renews until it is told to stop, which no renewal is that has begun.
    async fn run(mut self, stop: Cancellation) {
        loop {
            let due = sleep_until(deadline_after(self.begun, self.pause()));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = due => {}
            }
            self.begun = Instant::now();
            // One that is lost leaves the next ones their time before the lease ends.
            let patience = self.pause();
            match self.lease.register(&self.registry, patience).await {
                Ok(granted) => self.granted = granted,
                Err(status) => tracing::warn!(%status, "a lease could not be renewed"),
            }
        }
    }

    /// Draws a pause: servers that began together do not come together for ever.
    fn pause(&self) -> Duration {
        (self.granted / RENEWALS).mul_f64(0.75 + 0.25 * fastrand::f64())
    }
}

/// A lease that is renewed until this is dropped.
#[must_use = "the lease is not renewed any more when this is dropped"]
pub struct KeptLease {
    lease: Lease,
    registry: RegistryServiceClient,
    renewing: JoinHandle<()>,
    stop: Cancellation,
}

impl KeptLease {
    /// Ends the lease at once: clients that watch hear of it, and make no new calls to the server. Do
    /// this before the server shuts down.
    ///
    /// A renewal that is on its way ends first, for which it has 5 seconds at most: behind the end it would
    /// register the server again.
    ///
    /// # Errors
    ///
    /// Those of the call; the lease then ends by itself after its length.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the lease is not renewed any more.
    pub async fn end(mut self) -> Result<(), Status> {
        self.stop.cancel();
        if timeout(LAST_RENEWAL, &mut self.renewing).await.is_err() {
            self.renewing.abort();
            let _ = (&mut self.renewing).await;
        }
        let Lease { group, url, .. } = self.lease.clone();
        self.registry.remove(group, url).await
    }
}

impl Drop for KeptLease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl fmt::Debug for KeptLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptLease").field(&self.lease).finish()
    }
}

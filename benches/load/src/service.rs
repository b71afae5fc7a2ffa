//! What the servers offer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rpc_runtime::rpc_service;
use rpc_runtime::server::ShutdownHandle;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use crate::process::Usage;

/// How long one call works.
pub(crate) const WORK: Duration = Duration::from_millis(10);

/// How many calls can work at once where they share something.
pub(crate) const PLACES: usize = 16;

#[rpc_service(name = "load.v1.Load")]
pub(crate) trait Load {
    #[rpc(idempotent)]
    async fn echo(&self, number: u64) -> u64;
    /// Runs once, and is counted.
    async fn add(&self);
    /// Waits for `release`.
    async fn hold(&self, number: u64) -> u64;
    async fn release(&self);
    /// Holds one of [`PLACES`] for [`WORK`], as what asks a database does.
    async fn wait(&self);
    /// Computes for [`WORK`], if nothing else does.
    async fn compute(&self);
    /// The same on a thread apart from those that read and write.
    #[rpc(blocking)]
    fn compute_apart(&self);
    #[rpc(read_only)]
    async fn state(&self) -> State;
    /// Returns how many connections there were, from the start on, at steps of [`SAMPLE`].
    #[rpc(read_only)]
    async fn history(&self) -> Vec<u32>;
}

/// How often connections are counted.
pub(crate) const SAMPLE: Duration = Duration::from_millis(10);

/// How a server is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) usage: Usage,
    pub(crate) connections: u64,
    pub(crate) running: u64,
    /// How many calls of `echo` and `add` it has answered.
    pub(crate) answered: u64,
}

pub(crate) struct Worker {
    places: Semaphore,
    work: Work,
    is_released: watch::Sender<bool>,
    counts: Arc<Counts>,
    server: watch::Receiver<Option<ShutdownHandle>>,
    history: watch::Receiver<Vec<u32>>,
}

/// What outlives the server.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) added: AtomicU64,
    answered: AtomicU64,
}

/// So many steps take a processor for [`WORK`], however long that is while others want it too.
#[derive(Clone, Copy)]
struct Work(u64);

impl Work {
    fn measured() -> Self {
        const TRIAL: Work = Work(1 << 20);
        // The quickest was disturbed least.
        let trials = (0..32).map(|_| {
            let start = Instant::now();
            TRIAL.run();
            start.elapsed()
        });
        let quickest = trials.min().unwrap_or(WORK).as_secs_f64();
        Self((TRIAL.0 as f64 * WORK.as_secs_f64() / quickest) as u64)
    }

    fn run(self) {
        (0..self.0).fold(0, |sum: u64, step| std::hint::black_box(sum ^ step));
    }
}

impl Worker {
    pub(crate) fn new(
        counts: Arc<Counts>,
        server: watch::Receiver<Option<ShutdownHandle>>,
        history: watch::Receiver<Vec<u32>>,
    ) -> Self {
        Self {
            places: Semaphore::new(PLACES),
            work: Work::measured(),
            is_released: watch::Sender::new(false),
            counts,
            server,
            history,
        }
    }
}

impl Load for Worker {
    async fn echo(&self, number: u64) -> u64 {
        self.counts.answered.fetch_add(1, Ordering::Relaxed);
        number
    }

    async fn add(&self) {
        self.counts.answered.fetch_add(1, Ordering::Relaxed);
        self.counts.added.fetch_add(1, Ordering::Relaxed);
        // So that there are always some on their way.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn hold(&self, number: u64) -> u64 {
        let mut is_released = self.is_released.subscribe();
        let _ = is_released.wait_for(|is_released| *is_released).await;
        number
    }

    async fn release(&self) {
        self.is_released.send_replace(true);
    }

    async fn wait(&self) {
        let _place = self.places.acquire().await;
        tokio::time::sleep(WORK).await;
    }

    async fn compute(&self) {
        self.work.run();
    }

    fn compute_apart(&self) {
        self.work.run();
    }

    async fn state(&self) -> State {
        let server = self.server.borrow();
        let count = |of: fn(&ShutdownHandle) -> usize| server.as_ref().map_or(0, of) as u64;
        State {
            usage: Usage::now(),
            connections: count(ShutdownHandle::connections),
            running: count(ShutdownHandle::running_calls),
            answered: self.counts.answered.load(Ordering::Relaxed),
        }
    }

    async fn history(&self) -> Vec<u32> {
        self.history.borrow().clone()
    }
}

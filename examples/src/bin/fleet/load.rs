//! Callers that do not stop, and what became of their calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rpc_examples::fleet::{PricesClient, Quote};
use rpc_runtime::Status;
use tokio::task::JoinSet;

/// Calls on their way, until [`end`](Self::end).
pub(crate) struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    counts: Mutex<Counts>,
}

/// What became of the calls of one part.
#[derive(Default)]
struct Counts {
    answered_by: BTreeMap<u32, u64>,
    repeated: u64,
    failed: u64,
    failed_before: u64,
}

impl Load {
    /// Begins with so many callers.
    pub(crate) fn begin(prices: &PricesClient, callers: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (prices, shared) = (prices.clone(), Arc::clone(&shared));
            tasks.spawn(async move {
                for item in 0.. {
                    if shared.over.load(Ordering::Relaxed) {
                        return;
                    }
                    shared.note(prices.price(item).await);
                }
            });
        }
        let callers = tasks;
        Self { shared, callers }
    }

    /// Shows what became of the calls since the part before.
    pub(crate) fn next_part(&self, name: &str) {
        let mut counts = self.shared.counts();
        let answered: u64 = counts.answered_by.values().sum();
        let shares = counts.answered_by.iter();
        let shares = shares.map(|(server, calls)| format!("{calls} by process {server}"));
        println!(
            "  {name:<16} {answered:>7} calls: {}",
            shares.collect::<Vec<_>>().join(", ")
        );
        println!(
            "  {:<16} {} repeated, {} failed",
            "", counts.repeated, counts.failed
        );
        *counts = Counts {
            failed_before: counts.failed_before + counts.failed,
            ..Counts::default()
        };
    }

    /// Lets the callers finish, and returns how many calls failed.
    pub(crate) async fn end(mut self) -> u64 {
        self.shared.over.store(true, Ordering::Relaxed);
        while self.callers.join_next().await.is_some() {}
        let counts = self.shared.counts();
        counts.failed_before + counts.failed
    }
}

impl Shared {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answer: Result<Quote, Status>) {
        let mut counts = self.counts();
        match answer {
            Ok(quote) => {
                *counts.answered_by.entry(quote.server).or_insert(0) += 1;
                counts.repeated += u64::from(quote.attempt > 1);
            }
            Err(status) => {
                eprintln!("{status}");
                counts.failed += 1;
            }
        }
    }
}

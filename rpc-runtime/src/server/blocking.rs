//! The threads of blocking methods, counted and bounded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use super::boundary::panicked;
use crate::call::{Context, enter_blocking_thread};
use crate::status::Status;

/// How many threads blocking methods may hold at once.
///
/// A call that finds none free waits for one, up to its deadline. A method that has begun cannot
/// be stopped, so its thread counts until it returns, also when its caller has gone.
#[derive(Clone, Debug)]
pub struct BlockingThreads(Arc<Semaphore>);

impl BlockingThreads {
    /// The number of threads where nobody set another.
    pub const DEFAULT: usize = 128;

    /// Makes a set of so many threads; at least one.
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(threads)))
    }

    /// Returns how many threads are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// The threads of calls that come from no server, such as calls in process.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<BlockingThreads> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(Self::DEFAULT))
    }
}

/// Runs `work` on a thread of its own, inside the context of the call.
pub(super) async fn run<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let threads = context.extension::<BlockingThreads>();
    let threads = threads.unwrap_or_else(|| BlockingThreads::shared());
    let permit = Arc::clone(&threads.0).acquire_owned().await;
    let permit = permit.map_err(|_| Status::unavailable("the server is shutting down"))?;
    let context = context.clone();
    let task = tokio::task::spawn_blocking(move || {
        let method = context.clone();
        let result = enter_blocking_thread(context, || catch_unwind(AssertUnwindSafe(work)));
        drop(permit);
        result.map_err(|panic| panicked(method.method().path(), &*panic))
    });
    task.await.unwrap_or_else(|error| {
        Err(Status::unavailable("the thread was stopped").with_source(error))
    })
}

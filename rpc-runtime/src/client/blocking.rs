//! Calls from threads without a runtime.

use std::future::Future;
use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::status::Status;

/// The runtime that blocking calls share: one thread, made by the first of them.
fn runtime() -> Result<&'static Runtime, Status> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(1).thread_name("rpc-blocking");
        builder
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    runtime.as_ref().map_err(|error| {
        Status::unavailable(format!(
            "the thread of blocking calls cannot be started: {error}"
        ))
    })
}

/// Runs a future on the shared runtime and blocks this thread until it has ended.
pub(crate) fn block_on<F>(future: F) -> Result<F::Output, Status>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if Handle::try_current().is_ok() && !crate::call::is_blocking_thread() {
        return Err(Status::failed_precondition(
            "a blocking call was made from asynchronous code, where it would stall the runtime \
             (await the call instead)",
        ));
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // The receiver is gone only if its thread is, and then nobody wants the result.
        let _ = sender.send(future.await);
    });
    receiver
        .recv()
        .map_err(|_| Status::internal("the task of a blocking call failed"))
}

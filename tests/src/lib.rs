//! Fixtures that several tests share: one service with every form of method, and servers of it.

#![forbid(unsafe_code)]

pub mod http1;
pub mod json_peer;
pub mod line;
pub mod math;
pub mod raw;
pub mod serving;
mod websocket;

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long something may take to come true: longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that nobody tells of.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_async(what, async || holds()).await;
}

/// The same for something that has to be asked for.
pub async fn eventually_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !holds().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    let held = timeout(PATIENCE, looking).await;
    assert!(held.is_ok(), "{what}: not within {PATIENCE:?}");
}

//! A number of small calls, or of items, for tools that count what is done: nothing here looks at a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::one_connection;
use crate::peer::{Items as _, Peer};
use crate::runtime::spawn;
use crate::{Result, ensure, expected_checksum};

const CALLERS: u64 = 64;

/// Makes `calls` calls, of 64 callers on one connection.
pub(crate) async fn run<P: Peer>(calls: u64) -> Result<()> {
    let peer = one_connection::<P>().await?;
    let next = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (peer, next) = (peer.clone(), Arc::clone(&next));
            spawn::<P, _>(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= calls {
                        return Ok(());
                    }
                    ensure!(
                        peer.echo(id).await? == expected_checksum(id),
                        "not the echo"
                    );
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// Reads one stream of so many items.
pub(crate) async fn items<P: Peer>(count: u64) -> Result<()> {
    let peer = one_connection::<P>().await?;
    let mut items = peer.items(count).await?;
    for id in 0..count {
        ensure!(
            items.next().await? == Some(expected_checksum(id)),
            "not item {id}"
        );
    }
    Ok(())
}

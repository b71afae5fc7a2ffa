//! W7: what an idle connection costs, client and server together.

use std::time::Duration;

use crate::peer::Peer;
use crate::process::resident_kib;
use crate::record::Recorder;
use crate::{Result, ensure, expected_checksum};

const CONNECTIONS: u64 = 1_000;

pub(super) async fn run<P: Peer>(record: Recorder) -> Result<()> {
    let server = P::serve().await?;
    // What the first connection of a process costs is not what each costs.
    let first = P::connect(server).await?;
    first.echo(0).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;

    let before = resident_kib()?;
    let mut peers = Vec::with_capacity(CONNECTIONS as usize);
    for id in 0..CONNECTIONS {
        let peer = P::connect(server).await?;
        ensure!(
            peer.echo(id).await? == expected_checksum(id),
            "not the echo"
        );
        peers.push(peer);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    record.value("kib", (resident_kib()? - before) / peers.len() as f64);
    Ok(())
}

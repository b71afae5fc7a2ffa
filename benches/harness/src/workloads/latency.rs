//! W1: one connection, one call in flight.

use std::time::Instant;

use super::one_connection;
use crate::peer::Peer;
use crate::process::CpuTime;
use crate::record::Recorder;
use crate::{Latencies, Result, ensure, expected_checksum};

const WARM_UP: u64 = 3_000;
const CALLS: u64 = 20_000;

pub(super) async fn run<P: Peer>(record: Recorder) -> Result<()> {
    let peer = one_connection::<P>().await?;
    echoes(&peer, WARM_UP).await?;
    let cpu = CpuTime::now()?;
    let latencies = echoes(&peer, CALLS).await?;
    record.cpu(cpu, CALLS)?;
    record.latencies(latencies);
    Ok(())
}

/// One call after the other.
pub(super) async fn echoes<P: Peer>(peer: &P, calls: u64) -> Result<Latencies> {
    let mut latencies = Latencies::with_capacity(calls as usize);
    for id in 0..calls {
        let start = Instant::now();
        let checksum = peer.echo(id).await?;
        latencies.push(start.elapsed());
        ensure!(checksum == expected_checksum(id), "not the echo");
    }
    Ok(latencies)
}

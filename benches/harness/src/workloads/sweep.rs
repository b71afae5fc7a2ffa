//! How cost grows: with callers, with the size of a message, with connections.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;

use super::throughput::{connect, on_each};
use super::{duration, one_connection};
use crate::Result;
use crate::load::{Load, Work};
use crate::peer::Peer;
use crate::record::Recorder;

const CALLERS: [u64; 5] = [1, 8, 64, 512, 4_096];
/// Bytes.
const PAYLOADS: [u64; 7] = [64, 1 << 10, 16 << 10, 128 << 10, 1 << 20, 4 << 20, 16 << 20];
const CONNECTIONS: [u64; 4] = [1, 10, 100, 1_000];

/// Small calls on one connection.
pub(super) async fn callers<P: Peer>(record: Recorder) -> Result<()> {
    for callers in CALLERS {
        let peers = [one_connection::<P>().await?];
        point(record.at(callers), &peers, callers as usize, Work::Small).await?;
    }
    Ok(())
}

/// Bytes echoed to 4 callers on one connection, as in W4.
pub(super) async fn payload<P: Peer>(record: Recorder) -> Result<()> {
    for len in PAYLOADS {
        let peers = [one_connection::<P>().await?];
        let body = Bytes::from(vec![0xA5; len as usize]);
        point(record.at(len), &peers, 4, Work::Bytes(body)).await?;
    }
    Ok(())
}

/// Small calls, one caller a connection.
pub(super) async fn connections<P: Peer>(record: Recorder) -> Result<()> {
    for connections in CONNECTIONS {
        let peers = connect::<P>(connections as usize).await?;
        point(record.at(connections), &peers, 1, Work::Small).await?;
    }
    Ok(())
}

/// Measures one point. Its error tells which one failed: the points before it count.
async fn point<P: Peer>(record: Recorder, peers: &[P], callers: usize, work: Work) -> Result<()> {
    let at = record.x.unwrap_or_default();
    measure(record, peers, callers, work)
        .await
        .with_context(|| format!("at {at}"))
}

async fn measure<P: Peer>(record: Recorder, peers: &[P], callers: usize, work: Work) -> Result<()> {
    let load = |time: Duration| Load {
        callers,
        work: work.clone(),
        until: Instant::now() + time,
        timed: true,
    };
    on_each(peers, load(duration() / 10)).await?;
    let start = Instant::now();
    let tally = on_each(peers, load(duration())).await?;
    record.value(
        "calls_s",
        tally.calls as f64 / start.elapsed().as_secs_f64(),
    );
    record.latencies(tally.latencies);
    Ok(())
}

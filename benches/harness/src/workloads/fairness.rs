//! Whether large messages hold up the small calls of another caller on the same connection.

use std::time::Instant;

use bytes::Bytes;

use super::{duration, latency};
use crate::load::{Load, Work};
use crate::peer::{Items as _, Peer};
use crate::record::Recorder;
use crate::runtime::spawn;
use crate::{Latencies, Result, ensure, expected_checksum};

const LARGE: usize = 16 << 20;
const IDLE_CALLS: u64 = 5_000;

/// The small calls alone, then beside a caller who has large messages echoed, and beside one who
/// reads a stream of them: on the same connection, and on another one. What another connection's
/// large messages cost is the machine's, and no framework can be better.
pub(super) async fn run<P: Peer>(record: Recorder) -> Result<()> {
    let server = P::serve().await?;
    let peer = P::connect(server).await?;
    latency::echoes(&peer, IDLE_CALLS).await?;
    let idle = p99(latency::echoes(&peer, IDLE_CALLS).await?);
    record.value("idle_p99_us", idle);
    let small = Small { peer, idle, record };
    beside_echoes(&small, small.peer.clone(), "echo").await?;
    beside_echoes(&small, P::connect(server).await?, "elsewhere_echo").await?;
    beside_a_stream(&small, small.peer.clone(), "stream").await?;
    beside_a_stream(&small, P::connect(server).await?, "elsewhere_stream").await
}

/// The caller of small calls.
struct Small<P> {
    peer: P,
    idle: f64,
    record: Recorder,
}

impl<P: Peer> Small<P> {
    /// Records the small calls' time beside `large` messages, which took so many MiB both ways.
    fn values(&self, name: &str, small: Latencies, mebibytes: u64) {
        let record = |metric: &str, value| self.record.value(&format!("{name}_{metric}"), value);
        record("mib_s", mebibytes as f64 / duration().as_secs_f64());
        let mut small = small;
        small.sort();
        let p99 = small.quantile(0.99);
        record("p50_us", small.quantile(0.5));
        record("p99_us", p99);
        record("ratio", p99 / self.idle);
    }
}

async fn beside_echoes<P: Peer>(small: &Small<P>, large: P, name: &str) -> Result<()> {
    let until = Instant::now() + duration();
    let work = Work::Bytes(Bytes::from(vec![0xA5; LARGE]));
    let large = spawn::<P, _>(async move {
        large
            .drive(Load {
                callers: 1,
                work,
                until,
                timed: false,
            })
            .await
    });
    let latencies = echoes_until(&small.peer, until).await?;
    small.values(name, latencies, large.await??.calls * 32);
    Ok(())
}

async fn beside_a_stream<P: Peer>(small: &Small<P>, large: P, name: &str) -> Result<()> {
    let until = Instant::now() + duration();
    let large = spawn::<P, _>(async move { read_stream(&large, until).await });
    let latencies = echoes_until(&small.peer, until).await?;
    match large.await? {
        Ok(messages) => small.values(name, latencies, messages * 16),
        Err(error) => small.record.none(&format!("{error:#}")),
    }
    Ok(())
}

async fn read_stream<P: Peer>(peer: &P, until: Instant) -> Result<u64> {
    let mut stream = peer.blobs(u64::MAX, LARGE as u64).await?;
    let mut messages = 0;
    while Instant::now() < until {
        ensure!(
            stream.next().await? == Some(LARGE as u64),
            "not all of a message"
        );
        messages += 1;
    }
    Ok(messages)
}

fn p99(mut latencies: Latencies) -> f64 {
    latencies.sort();
    latencies.quantile(0.99)
}

/// One small call after the other.
pub(super) async fn echoes_until<P: Peer>(peer: &P, until: Instant) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut id = 0;
    while Instant::now() < until {
        let start = Instant::now();
        let checksum = peer.echo(id).await?;
        latencies.push(start.elapsed());
        ensure!(checksum == expected_checksum(id), "not the echo");
        id += 1;
    }
    Ok(latencies)
}

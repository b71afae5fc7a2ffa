//! Whether large messages hold up the small calls of another caller on the same connection.

use std::time::Instant;

use bytes::Bytes;

use super::{duration, latency, one_connection};
use crate::load::{Load, Work};
use crate::peer::{Items as _, Peer};
use crate::record::Recorder;
use crate::runtime::spawn;
use crate::{Latencies, Result, ensure, expected_checksum};

const LARGE: usize = 16 << 20;
const IDLE_CALLS: u64 = 5_000;

/// Three times the small calls: alone, beside a caller who has large messages echoed, and beside
/// one who reads a stream of them.
pub(super) async fn run<P: Peer>(record: Recorder) -> Result<()> {
    let peer = one_connection::<P>().await?;
    latency::echoes(&peer, IDLE_CALLS).await?;
    let idle = p99(latency::echoes(&peer, IDLE_CALLS).await?);
    record.value("idle_p99_us", idle);

    let until = Instant::now() + duration();
    let (other, work) = (peer.clone(), Work::Bytes(Bytes::from(vec![0xA5; LARGE])));
    let large = spawn::<P, _>(async move {
        other
            .drive(Load {
                callers: 1,
                work,
                until,
                timed: false,
            })
            .await
    });
    let busy = p99(echoes_until(&peer, until).await?);
    let seconds = duration().as_secs_f64();
    record.value("echo_mib_s", large.await??.calls as f64 * 32.0 / seconds);
    record.value("echo_p99_us", busy);
    record.value("echo_ratio", busy / idle);

    let until = Instant::now() + duration();
    let other = peer.clone();
    let large = spawn::<P, _>(async move { read_stream(&other, until).await });
    let busy = p99(echoes_until(&peer, until).await?);
    match large.await? {
        Ok(messages) => {
            record.value("stream_mib_s", messages as f64 * 16.0 / seconds);
            record.value("stream_p99_us", busy);
            record.value("stream_ratio", busy / idle);
        }
        Err(error) => record.none(&format!("{error:#}")),
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

//! W5: a stream from the server. W6: a stream in both directions.

use std::time::Instant;

use super::{duration, one_connection};
use crate::peer::{Items as _, Peer, PingPong as _};
use crate::process::CpuTime;
use crate::record::Recorder;
use crate::{Result, ensure, expected_checksum};

/// Also what fits into the buffer of a peer that cannot stop its server (jsonrpsee).
const MOST_ITEMS: u64 = 1_000_000;
const WARM_UP: u64 = 1_000;

pub(super) async fn items<P: Peer>(record: Recorder) -> Result<()> {
    let peer = one_connection::<P>().await?;
    {
        let mut warm_up = peer.items(WARM_UP).await?;
        while warm_up.next().await?.is_some() {}
    }

    let (start, cpu) = (Instant::now(), CpuTime::now()?);
    let until = start + duration();
    let mut items = peer.items(MOST_ITEMS).await?;
    let mut seen = 0;
    while let Some(checksum) = items.next().await? {
        ensure!(checksum == expected_checksum(seen), "not item {seen}");
        seen += 1;
        if seen % 64 == 0 && Instant::now() >= until {
            break;
        }
    }
    record.value("items_s", seen as f64 / start.elapsed().as_secs_f64());
    record.cpu(cpu, seen)
}

pub(super) async fn ping_pong<P: Peer>(record: Recorder) -> Result<()> {
    let peer = one_connection::<P>().await?;
    let mut stream = peer.ping_pong().await?;
    for id in 0..WARM_UP {
        ensure!(
            stream.round(id).await? == expected_checksum(id),
            "not the echo"
        );
    }

    let (start, cpu) = (Instant::now(), CpuTime::now()?);
    let until = start + duration();
    let mut rounds = 0;
    while Instant::now() < until {
        ensure!(
            stream.round(rounds).await? == expected_checksum(rounds),
            "not the echo"
        );
        rounds += 1;
    }
    record.value("rounds_s", rounds as f64 / start.elapsed().as_secs_f64());
    record.cpu(cpu, rounds)
}

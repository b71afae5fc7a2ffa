//! W2, W3 and W8: how many calls, and what one costs.

use std::time::{Duration, Instant};

use super::duration;
use crate::Result;
use crate::load::{Load, Tally, Work, total};
use crate::peer::Peer;
use crate::process::CpuTime;
use crate::record::Recorder;
use crate::runtime::spawn;

pub(super) async fn run<P: Peer>(
    record: Recorder,
    connections: usize,
    callers: usize,
) -> Result<()> {
    let peers = connect::<P>(connections).await?;
    let load = |time: Duration| Load {
        callers,
        work: Work::Small,
        until: Instant::now() + time,
        timed: false,
    };
    on_each(&peers, load(duration() / 10)).await?;
    let (start, cpu) = (Instant::now(), CpuTime::now()?);
    let tally = on_each(&peers, load(duration())).await?;
    record.value(
        "calls_s",
        tally.calls as f64 / start.elapsed().as_secs_f64(),
    );
    record.cpu(cpu, tally.calls)
}

/// Connections to one server.
pub(super) async fn connect<P: Peer>(connections: usize) -> Result<Vec<P>> {
    let server = P::serve().await?;
    let mut peers = Vec::with_capacity(connections);
    for _ in 0..connections {
        peers.push(P::connect(server).await?);
    }
    Ok(peers)
}

/// The same load on each connection.
pub(super) async fn on_each<P: Peer>(peers: &[P], load: Load) -> Result<Tally> {
    let tasks = peers
        .iter()
        .map(|peer| {
            let (peer, load) = (peer.clone(), load.clone());
            spawn::<P, _>(async move { peer.drive(load).await })
        })
        .collect();
    total(tasks).await
}

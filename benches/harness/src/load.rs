//! Many callers at once on one connection.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::peer::Peer;
use crate::runtime::spawn;
use crate::{Latencies, Result, ensure, expected_checksum};

/// What many callers do, until when.
#[derive(Clone)]
pub struct Load {
    pub callers: usize,
    pub work: Work,
    pub until: Instant,
    /// Whether to take down how long each call took.
    pub timed: bool,
}

#[derive(Clone)]
pub enum Work {
    Small,
    Bytes(Bytes),
    Vec(Vec<u8>),
    Burn(Duration),
}

/// What came of a [`Load`].
#[derive(Default)]
pub struct Tally {
    pub calls: u64,
    /// Empty unless the load was `timed`.
    pub latencies: Latencies,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.latencies.add(other.latencies);
    }
}

/// A task a caller.
pub(crate) async fn tasks<P: Peer>(peer: &P, load: Load) -> Result<Tally> {
    let tasks = (0..load.callers)
        .map(|caller| {
            let (peer, load) = (peer.clone(), load.clone());
            spawn::<P, _>(async move { caller_loop(&peer, caller as u64, load).await })
        })
        .collect();
    total(tasks).await
}

pub(crate) async fn total(tasks: Vec<JoinHandle<Result<Tally>>>) -> Result<Tally> {
    let mut tally = Tally::default();
    for task in tasks {
        tally.add(task.await??);
    }
    Ok(tally)
}

async fn caller_loop<P: Peer>(peer: &P, caller: u64, load: Load) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut now = Instant::now();
    while now < load.until {
        call(peer, caller << 24 | tally.calls, &load.work).await?;
        tally.calls += 1;
        let start = std::mem::replace(&mut now, Instant::now());
        if load.timed {
            tally.latencies.push(now - start);
        }
    }
    Ok(tally)
}

/// One call, checked.
async fn call<P: Peer>(peer: &P, id: u64, work: &Work) -> Result<()> {
    match work {
        Work::Small => ensure!(
            peer.echo(id).await? == expected_checksum(id),
            "not the echo"
        ),
        Work::Bytes(body) => {
            ensure!(
                peer.echo_bytes(body.clone()).await? == body.len(),
                "not the echo"
            );
        }
        Work::Vec(body) => {
            ensure!(
                peer.echo_vec(body.clone()).await? == body.len(),
                "not the echo"
            );
        }
        Work::Burn(time) => peer.burn(*time).await?,
    }
    Ok(())
}

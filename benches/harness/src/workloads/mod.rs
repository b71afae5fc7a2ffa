//! What is measured, one function a workload.

mod bytes;
pub(crate) mod counted;
mod fairness;
mod latency;
mod memory;
mod neighbour;
mod streams;
mod sweep;
mod throughput;

use std::time::Duration;

use crate::Result;
use crate::peer::{NotOffered, Peer};
use crate::record::Recorder;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Workload {
    Latency,
    OneConnection,
    EightConnections,
    Bytes,
    Vecs,
    Items,
    PingPong,
    Memory,
    Neighbour,
    Fairness,
    Callers,
    Payload,
    Connections,
}

impl Workload {
    /// With the names that the command line and the results use. W8 is a figure of W2, and W9 is
    /// `clean_build.sh`.
    const ALL: [(&'static str, Self); 13] = [
        ("w1", Self::Latency),
        ("w2", Self::OneConnection),
        ("w3", Self::EightConnections),
        ("w4", Self::Bytes),
        ("w4-vec", Self::Vecs),
        ("w5", Self::Items),
        ("w6", Self::PingPong),
        ("w7", Self::Memory),
        ("w10", Self::Neighbour),
        ("fairness", Self::Fairness),
        ("callers", Self::Callers),
        ("payload", Self::Payload),
        ("connections", Self::Connections),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, workload)| *workload)
    }

    pub(crate) fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|(name, _)| *name).collect()
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, workload)| *workload == self)
            .map_or("", |(name, _)| name)
    }
}

pub(crate) async fn run<P: Peer>(workload: Workload) -> Result<()> {
    let record = Recorder {
        peer: P::NAME,
        workload: workload.name(),
        x: None,
    };
    if let Some(known) = P::UNSUPPORTED
        .iter()
        .find(|known| known.workload == workload.name())
    {
        record.none(known.why);
        return Ok(());
    }
    let result = measure::<P>(workload, record).await;
    let Err(error) = result else {
        return Ok(());
    };
    match error.downcast_ref() {
        Some(NotOffered(what)) => {
            if !what.is_empty() {
                record.none(what);
            }
            Ok(())
        }
        None => {
            record.none(&format!("failed: {error:#}"));
            Err(error)
        }
    }
}

async fn measure<P: Peer>(workload: Workload, record: Recorder) -> Result<()> {
    match workload {
        Workload::Latency => latency::run::<P>(record).await,
        Workload::OneConnection => throughput::run::<P>(record, 1, 64).await,
        Workload::EightConnections => throughput::run::<P>(record, 8, 16).await,
        Workload::Bytes => bytes::run::<P>(record, crate::Work::Bytes).await,
        Workload::Vecs => bytes::run::<P>(record, |body| crate::Work::Vec(body.into())).await,
        Workload::Items => streams::items::<P>(record).await,
        Workload::PingPong => streams::ping_pong::<P>(record).await,
        Workload::Memory => memory::run::<P>(record).await,
        Workload::Neighbour => neighbour::run::<P>(record).await,
        Workload::Fairness => fairness::run::<P>(record).await,
        Workload::Callers => sweep::callers::<P>(record).await,
        Workload::Payload => sweep::payload::<P>(record).await,
        Workload::Connections => sweep::connections::<P>(record).await,
    }
}

/// How long a workload lasts that could go on for ever: `SECS`, or 3 seconds.
fn duration() -> Duration {
    let seconds = std::env::var("SECS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(3.0))
}

async fn one_connection<P: Peer>() -> Result<P> {
    P::connect(P::serve().await?).await
}

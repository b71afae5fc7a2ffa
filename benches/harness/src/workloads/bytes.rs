//! W4: large bodies. The MiB of the request and of the reply both count.

use std::time::Instant;

use bytes::Bytes;

use super::{duration, one_connection};
use crate::Result;
use crate::load::{Load, Work};
use crate::peer::Peer;
use crate::process::CpuTime;
use crate::record::Recorder;

const CALLERS: usize = 4;

pub(super) async fn run<P: Peer>(record: Recorder, work: fn(Bytes) -> Work) -> Result<()> {
    let peer = one_connection::<P>().await?;
    let load = |until| Load {
        callers: CALLERS,
        work: work(Bytes::from(vec![0xA5; 1 << 20])),
        until,
        timed: false,
    };
    peer.drive(load(Instant::now() + duration() / 10)).await?;
    let (start, cpu) = (Instant::now(), CpuTime::now()?);
    let tally = peer.drive(load(start + duration())).await?;
    record.value(
        "mib_s",
        2.0 * tally.calls as f64 / start.elapsed().as_secs_f64(),
    );
    record.cpu(cpu, tally.calls)
}

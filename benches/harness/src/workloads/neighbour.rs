//! W10: handlers that compute, beside cheap calls on the same connection.

use std::time::{Duration, Instant};

use super::fairness::echoes_until;
use super::{duration, one_connection};
use crate::Result;
use crate::load::{Load, Work};
use crate::peer::Peer;
use crate::process::CpuTime;
use crate::record::Recorder;
use crate::runtime::spawn;

const CALLERS: usize = 64;
const BURN: Duration = Duration::from_micros(100);

pub(super) async fn run<P: Peer>(record: Recorder) -> Result<()> {
    let peer = one_connection::<P>().await?;
    // The first burn of a process finds out how many steps a microsecond takes.
    peer.burn(BURN).await?;
    let load = |until| Load {
        callers: CALLERS,
        work: Work::Burn(BURN),
        until,
        timed: false,
    };
    peer.drive(load(Instant::now() + duration() / 10)).await?;

    let (start, cpu) = (Instant::now(), CpuTime::now()?);
    let until = start + duration();
    let neighbour = peer.clone();
    let neighbour = spawn::<P, _>(async move { echoes_until(&neighbour, until).await });
    let tally = peer.drive(load(until)).await?;
    let seconds = start.elapsed().as_secs_f64();
    record.value("calls_s", tally.calls as f64 / seconds);
    record.value("cores", cpu.since()?.total() / 1e6 / seconds);
    record.latencies(neighbour.await??);
    Ok(())
}

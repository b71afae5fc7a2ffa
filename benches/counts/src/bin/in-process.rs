//! Prints what a call costs without a wire, `BenchClient::new(BenchServer::new(..))`: nanoseconds
//! and allocations, beside those of a call of the trait itself.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use counts::runtime;
use harness::{Small, expected_checksum};
use peer_rpc::{Bench, BenchClient, BenchServer, Service};

const CALLS: u64 = 200_000;
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let runtime = runtime()?;
    let client = BenchClient::new(BenchServer::new(Service));
    report("the trait's method", || runtime.block_on(direct()))?;
    report("a call in process", || {
        runtime.block_on(in_process(&client))
    })?;
    Ok(())
}

async fn direct() -> Result<()> {
    for id in 0..CALLS {
        let echo = Bench::echo(&Service, black_box(Small::new(id))).await;
        ensure!(
            black_box(echo).checksum() == expected_checksum(id),
            "not the echo"
        );
    }
    Ok(())
}

async fn in_process(client: &BenchClient) -> Result<()> {
    for id in 0..CALLS {
        let echo = client.echo(black_box(Small::new(id))).await?;
        ensure!(
            black_box(echo).checksum() == expected_checksum(id),
            "not the echo"
        );
    }
    Ok(())
}

/// The fastest of several rounds: what disturbs a round only ever makes it longer.
fn report(what: &str, mut calls: impl FnMut() -> Result<()>) -> Result<()> {
    let mut fastest = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        calls()?;
        fastest = fastest.min(start.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    let mut result = Ok(());
    let counted = allocation_counter::measure(|| result = calls());
    result?;
    let allocations = counted.count_total as f64 / CALLS as f64;
    println!("{what}: {fastest:.0} ns, {allocations:.1} allocations");
    Ok(())
}

//! Prints the allocations, and the bytes allocated, of one call in W2 on a single thread:
//! `allocations [URL]`. The messages that caller and handler own are among them.

use anyhow::Result;
use counts::{argument, calls, connect, timeless_runtime};

const WARM_UP: u64 = 20_000;
const CALLS: u64 = 10_000;
const ROUNDS: usize = 20;

fn main() -> Result<()> {
    let runtime = timeless_runtime()?;
    let client = runtime.block_on(async {
        let client = connect(&argument(1, "mem:counts")).await?;
        calls(&client, WARM_UP).await?;
        anyhow::Ok(client)
    })?;
    // The fewest of several rounds: a thread that is interrupted finds less to do at once, which
    // only ever adds some.
    let (mut allocations, mut bytes) = (u64::MAX, u64::MAX);
    for _ in 0..ROUNDS {
        let mut result = Ok(());
        let counted =
            allocation_counter::measure(|| result = runtime.block_on(calls(&client, CALLS)));
        result?;
        allocations = allocations.min(counted.count_total);
        bytes = bytes.min(counted.bytes_total);
    }
    println!("allocations {:.3}", allocations as f64 / CALLS as f64);
    println!("bytes {:.1}", bytes as f64 / CALLS as f64);
    Ok(())
}

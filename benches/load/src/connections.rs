//! 10,000 connections at one server: what each costs while nobody calls, and whether all still work.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use rpc_runtime::client::Connect;

use crate::process::Usage;
use crate::server::{ServerProcess, limits};
use crate::service::LoadClient;

const CONNECTIONS: u64 = 10_000;

/// How many connect at once.
const TOGETHER: usize = 64;

/// How long nobody calls.
const IDLE: Duration = Duration::from_secs(10);

async fn connect(url: &str) -> Result<LoadClient> {
    Ok(Connect::new(url).limits(limits()).await?)
}

pub(crate) async fn run() -> Result<()> {
    let server = ServerProcess::start(&[]).await?;
    // What the first connection of a process costs is not what each costs.
    let first = connect(&server.url).await?;
    let before = (first.state().await?.usage, Usage::now());

    let start = Instant::now();
    let url = server.url.as_str();
    let clients: Vec<_> = stream::iter(0..CONNECTIONS)
        .map(|number| async move {
            let client = connect(url).await?;
            ensure!(client.echo(number).await? == number, "not the echo");
            Ok(client)
        })
        .buffer_unordered(TOGETHER)
        .try_collect()
        .await?;
    let connecting = start.elapsed();
    let open = first.state().await?;
    ensure!(
        open.connections == CONNECTIONS + 1,
        "{} connections are open",
        open.connections
    );
    let there = (open.usage, Usage::now());

    tokio::time::sleep(IDLE).await;
    let idle = (first.state().await?.usage, Usage::now());

    let start = Instant::now();
    let calls = clients.iter().map(|client| async {
        let called = Instant::now();
        ensure!(client.echo(7).await? == 7, "not the echo");
        Ok(called.elapsed())
    });
    let mut times = futures_util::future::try_join_all(calls).await?;
    let calling = start.elapsed();
    times.sort();
    server.drain().await?;

    let each = |there: Usage, before: Usage| there.since(before).resident_kib / CONNECTIONS as f64;
    let share =
        |after: Usage, before: Usage| after.since(before).cpu_ms / IDLE.as_millis() as f64 * 100.0;
    println!(
        "| connections | connected, each with a call, in | KiB each, server | KiB each, client | CPU of one core while idle, server | client | all call at once: last answer after |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {CONNECTIONS} | {:.1} s | {:.1} | {:.1} | {:.1} % | {:.1} % | {:.0} ms |",
        connecting.as_secs_f64(),
        each(there.0, before.0),
        each(there.1, before.1),
        share(idle.0, there.0),
        share(idle.1, there.1),
        calling.as_secs_f64() * 1e3,
    );
    Ok(())
}

//! A million calls that wait for their answers: what each costs, and whether others are held up by them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rpc_runtime::client::Connect;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::process::Usage;
use crate::server::{ServerProcess, limits};
use crate::service::LoadClient;

const CONNECTIONS: u64 = 100;
const CALLS_EACH: u64 = 10_000;
const CALLS: u64 = CONNECTIONS * CALLS_EACH;

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) async fn run() -> Result<()> {
    let server = ServerProcess::start(&[]).await?;
    let observer = connect(&server.url).await?;
    let before = (observer.state().await?.usage, Usage::now());

    let start = Instant::now();
    let mut calls = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let client = connect(&server.url).await?;
        for number in 0..CALLS_EACH {
            let number = connection * CALLS_EACH + number;
            let call = client.hold(number).timeout(PATIENCE);
            calls.spawn(async move { Ok::<_, rpc_runtime::Status>(call.await? == number) });
        }
    }
    while observer.state().await?.running < CALLS {
        ensure!(start.elapsed() < PATIENCE, "not all calls have begun");
        sleep(Duration::from_millis(50)).await;
    }
    let beginning = start.elapsed();
    let waiting = (observer.state().await?.usage, Usage::now());

    let mut beside = Vec::new();
    for number in 0..1_000 {
        let called = Instant::now();
        ensure!(observer.echo(number).await? == number, "not the echo");
        beside.push(called.elapsed());
    }
    beside.sort();

    let start = Instant::now();
    observer.release().await?;
    while let Some(is_right) = calls.join_next().await {
        ensure!(is_right??, "not the answer of this call");
    }
    let ending = start.elapsed();
    let left = observer.state().await?.running;
    // The call that asks runs, too.
    ensure!(left == 1, "{left} calls still run");
    server.drain().await?;

    let each =
        |waiting: Usage, before: Usage| waiting.since(before).resident_kib * 1024.0 / CALLS as f64;
    println!(
        "| calls in flight | on connections | all begun after | bytes each, server | bytes each, client, with its task | a call beside them, p50 | p99 | all answered in |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    println!(
        "| {CALLS} | {CONNECTIONS} | {:.1} s | {:.0} | {:.0} | {} µs | {} µs | {:.1} s |",
        beginning.as_secs_f64(),
        each(waiting.0, before.0),
        each(waiting.1, before.1),
        beside[500].as_micros(),
        beside[990].as_micros(),
        ending.as_secs_f64(),
    );
    Ok(())
}

async fn connect(url: &str) -> Result<LoadClient> {
    Ok(Connect::new(url).limits(limits()).await?)
}

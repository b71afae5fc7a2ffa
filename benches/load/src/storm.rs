//! A server that crashes and comes back: how its clients come back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::plot::{self, Line};
use crate::server::ServerProcess;
use crate::service::{LoadClient, SAMPLE};

const CLIENTS: usize = 2_000;

/// How long the server is gone.
const GONE: Duration = Duration::from_secs(3);

/// How long each client waits between its calls.
const PAUSE: Duration = Duration::from_millis(20);

/// By when all must be back: the longest pause of a client, and something for a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// In what time connections are counted for the peak.
const WINDOW: usize = 10;

pub(crate) async fn run(folder: Option<&Path>) -> Result<()> {
    let server = ServerProcess::start(&[]).await?;
    let address = server.address();
    let is_over = Arc::<AtomicBool>::default();
    let mut callers = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = LoadClient::connect(&server.url).await?;
        callers.spawn(call(client, Arc::clone(&is_over)));
    }
    server.kill().await?;
    sleep(GONE).await;
    let server = ServerProcess::start(&[&address]).await?;
    let observer = LoadClient::connect(&server.url).await?;
    let start = Instant::now();
    let all = CLIENTS as u64 + 1;
    while observer.state().await?.connections < all {
        ensure!(start.elapsed() < PATIENCE, "not all clients came back");
        sleep(SAMPLE).await;
    }
    let history = observer.history().await?;
    is_over.store(true, Ordering::Relaxed);
    while callers.join_next().await.is_some() {}
    server.drain().await?;

    let after = |share: f64| {
        let enough = (all as f64 * share) as u32;
        let samples = history
            .iter()
            .position(|&connections| connections >= enough);
        samples.unwrap_or(history.len()) as f64 * SAMPLE.as_secs_f64()
    };
    let most = history
        .windows(WINDOW + 1)
        .map(|window| window[WINDOW].saturating_sub(window[0]))
        .max()
        .unwrap_or_default();
    println!("| clients | server gone for | half are back after | 99 % | all | most in 100 ms |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| {CLIENTS} | {} s | {:.2} s | {:.2} s | {:.2} s | {:.1} % |",
        GONE.as_secs(),
        after(0.5),
        after(0.99),
        after(1.0),
        100.0 * f64::from(most) / CLIENTS as f64,
    );
    if let Some(folder) = folder {
        let points = history.iter().enumerate();
        let points = points.map(|(at, &open)| (at as f64 * SAMPLE.as_secs_f64(), f64::from(open)));
        plot::draw(
            &folder.join("storm.svg"),
            "Clients that come back to a server that was gone",
            ("seconds since it listens", "connections"),
            &[Line::new("connections", points.collect())],
        )?;
    }
    ensure!(
        f64::from(most) < 0.25 * CLIENTS as f64,
        "too many came at once"
    );
    Ok(())
}

/// Calls again and again, and takes failures as they come: the channel decides when it connects.
async fn call(client: LoadClient, is_over: Arc<AtomicBool>) {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let _ = client.echo(number).await;
        sleep(PAUSE).await;
    }
}

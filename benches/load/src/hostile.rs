//! Good clients beside peers that mean no good: how much they lose, and whether the server grows.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rpc_runtime::Status;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::attack::{ATTACKS, Attack};
use crate::server::ServerProcess;
use crate::service::LoadClient;

const CALLERS: usize = 16;

/// How long is counted, and how long comes before it.
const TIME: Duration = Duration::from_secs(3);
const BEFORE: Duration = Duration::from_secs(1);

/// By how much the server may grow, in KiB: what 500 connections may have sent, and the buffers of the others.
const GROWTH: f64 = 64.0 * 1024.0;

pub(crate) async fn run() -> Result<()> {
    println!("| wire | attack | good calls, of what is without | server grows by |");
    println!("|---|---|---|---|");
    let mut harmed = Vec::new();
    for (number, attack) in ATTACKS.iter().enumerate() {
        let (share, growth) = beside(number, attack).await?;
        println!(
            "| {} | {} | {:.0} % | {:.1} MiB |",
            attack.wire,
            attack.name,
            100.0 * share,
            growth / 1024.0
        );
        if share < 0.9 || growth > GROWTH {
            harmed.push(attack.name);
        }
    }
    ensure!(harmed.is_empty(), "too much harm by: {}", harmed.join("; "));
    Ok(())
}

/// Returns the share of calls that are left beside an attack, and by how many KiB the server grows.
async fn beside(number: usize, attack: &Attack) -> Result<(f64, f64)> {
    let server = ServerProcess::start(&["every-wire"]).await?;
    let good = Good::begin(&server.url).await?;
    let alone = good.rate().await;
    let before = good.client.state().await?.usage;
    let mut attacker = Command::new(std::env::current_exe()?)
        .arg("attack")
        .args([number.to_string(), server.address()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let attacked = good.rate().await;
    let growth = good.client.state().await?.usage.since(before);
    let is_over = attacker.try_wait()?;
    ensure!(
        is_over.is_none(),
        "the attack `{}` ended by itself",
        attack.name
    );
    attacker.kill().await?;
    let again = good.rate().await;
    good.end().await?;
    server.kill().await?;
    Ok((attacked / f64::midpoint(alone, again), growth.resident_kib))
}

/// Clients that call one call after the other.
struct Good {
    client: LoadClient,
    calls: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    callers: JoinSet<Result<(), Status>>,
}

impl Good {
    async fn begin(url: &str) -> Result<Self> {
        let calls = Arc::<AtomicU64>::default();
        let is_over = Arc::<AtomicBool>::default();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let client = LoadClient::connect(url).await?;
            let (calls, is_over) = (Arc::clone(&calls), Arc::clone(&is_over));
            callers.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    client.echo(1).await?;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        let client = LoadClient::connect(url).await?;
        Ok(Self {
            client,
            calls,
            is_over,
            callers,
        })
    }

    /// Returns how many calls there are a second, from after a while on.
    async fn rate(&self) -> f64 {
        sleep(BEFORE).await;
        let (start, calls) = (Instant::now(), self.calls.load(Ordering::Relaxed));
        sleep(TIME).await;
        let calls = self.calls.load(Ordering::Relaxed) - calls;
        calls as f64 / start.elapsed().as_secs_f64()
    }

    /// Ends it. No call may have failed.
    async fn end(mut self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(result) = self.callers.join_next().await {
            result??;
        }
        Ok(())
    }
}

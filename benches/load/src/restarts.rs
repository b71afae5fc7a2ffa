//! Three servers that are restarted in turn under load: how many accepted calls fail.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rpc_runtime::Status;
use rpc_runtime::layer::Retry;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::plot::{self, Line};
use crate::server::ServerProcess;
use crate::service::LoadClient;

const SERVERS: usize = 3;
const RESTARTS: usize = 1_000;
const CALLERS: u64 = 32;

/// How long each caller waits between its calls.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a new server may take to get its first call.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of the calls.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    echoed: AtomicU64,
    added: AtomicU64,
    failed: Mutex<Vec<Status>>,
    longest: Mutex<Duration>,
}

pub(crate) async fn run(folder: Option<&Path>) -> Result<()> {
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(ServerProcess::start(&[]).await?);
    }
    let urls: Vec<_> = servers.iter().map(|server| server.url.clone()).collect();
    let client = LoadClient::connect(&urls).layer(Retry::new()).await?;
    let shared = Arc::<Shared>::default();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(call(client.clone(), Arc::clone(&shared), number % 4 == 0));
    }

    let start = Instant::now();
    let mut ran = 0;
    let mut took = Vec::new();
    for _ in 0..RESTARTS {
        let began = Instant::now();
        let server = servers.remove(0);
        let address = server.address();
        ran += server.drain().await?;
        servers.push(ServerProcess::start(&[&address]).await?);
        answers(&servers[SERVERS - 1].url).await?;
        took.push(began.elapsed());
    }
    let lasted = start.elapsed();
    shared.is_over.store(true, Ordering::Relaxed);
    while callers.join_next().await.is_some() {}
    for server in servers {
        ran += server.drain().await?;
    }
    let failed = shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
    let longest = *shared
        .longest
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let (echoed, added) = (
        shared.echoed.load(Ordering::Relaxed),
        shared.added.load(Ordering::Relaxed),
    );
    println!(
        "| restarts | in | idempotent calls answered | other calls answered | how often those ran | failed | longest call |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {RESTARTS} | {:.0} s | {echoed} | {added} | {ran} | {} | {:.0} ms |",
        lasted.as_secs_f64(),
        failed.len(),
        longest.as_secs_f64() * 1e3,
    );
    if let Some(folder) = folder {
        let points = took.iter().enumerate();
        let points = points.map(|(at, took)| (at as f64, took.as_secs_f64() * 1e3));
        plot::draw(
            &folder.join("restarts.svg"),
            "Restarts under load: until the new server answers its first call",
            ("restart", "ms"),
            &[Line::new("a restart", points.collect())],
        )?;
    }
    ensure!(
        failed.is_empty(),
        "calls failed, the first with: {}",
        failed[0]
    );
    ensure!(
        added == ran,
        "methods that may run once ran {ran} times for {added} calls"
    );
    Ok(())
}

impl Shared {
    fn note(&self, result: Result<(), Status>, adds: bool, took: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = took.max(*longest);
        let count = if adds { &self.added } else { &self.echoed };
        match result {
            Ok(()) => _ = count.fetch_add(1, Ordering::Relaxed),
            Err(status) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(status);
            }
        }
    }
}

/// Calls again and again. Those of `add` must not be repeated once a server may have seen them.
async fn call(client: LoadClient, shared: Arc<Shared>, adds: bool) {
    while !shared.is_over.load(Ordering::Relaxed) {
        let called = Instant::now();
        let result = match adds {
            true => client.add().await,
            false => client.echo(1).await.map(|_| ()),
        };
        shared.note(result, adds, called.elapsed());
        sleep(PAUSE).await;
    }
}

/// Waits until the server at `url` has answered a call of the load, as a rollout waits until what is new is ready.
async fn answers(url: &str) -> Result<()> {
    let observer = LoadClient::connect(url).await?;
    let start = Instant::now();
    while observer.state().await?.answered == 0 {
        ensure!(start.elapsed() < PATIENCE, "the new server gets no calls");
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

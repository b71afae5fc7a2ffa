//! A server in a process of its own.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rpc_runtime::layer::AdaptiveLimit;
use rpc_runtime::server::ShutdownHandle;
use rpc_runtime::{Limits, Server, Wire};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::service::{Counts, LoadServer, SAMPLE, Worker};

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// More calls than any part makes.
const CALLS: usize = 2_000_000;

/// How one connection's calls are bounded, by both sides.
pub(crate) fn limits() -> Limits {
    Limits::new().max_calls(20_000)
}

/// Serves until standard input ends, and then says how often `add` ran.
pub(crate) async fn serve(arguments: &[String]) -> Result<()> {
    let mut address = "127.0.0.1:0";
    let (mut is_adaptive, mut wires) = (false, vec![Wire::Native]);
    for argument in arguments {
        match argument.as_str() {
            "adaptive" => is_adaptive = true,
            "every-wire" => wires.extend([Wire::Http, Wire::JsonRpc]),
            other => address = other,
        }
    }
    let counts = Arc::<Counts>::default();
    let (handle, on_handle) = watch::channel(None);
    let (history, on_history) = watch::channel(Vec::new());
    let worker = Worker::new(Arc::clone(&counts), on_handle, on_history);
    let mut server = Server::new()
        .add(LoadServer::new(worker))
        .accept(wires)
        .limits(limits())
        .max_connections(CALLS)
        .max_calls_total(CALLS)
        .shutdown_timeout(PATIENCE / 2);
    if is_adaptive {
        server = server.layer(AdaptiveLimit::new());
    }
    let bound = server.listen(format!("tcp://{address}")).bind().await?;
    handle.send_replace(Some(bound.shutdown_handle()));
    println!("{}", bound.url());
    tokio::spawn(count(bound.shutdown_handle(), history));
    let stop = bound.shutdown_handle();
    tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
        stop.shutdown();
    });
    bound.serve().await?;
    println!("{}", counts.added.load(Ordering::Relaxed));
    Ok(())
}

/// Keeps how many connections there were, for a minute.
async fn count(server: ShutdownHandle, history: watch::Sender<Vec<u32>>) {
    let mut ticks = interval(SAMPLE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 0..6_000 {
        ticks.tick().await;
        let connections = u32::try_from(server.connections()).unwrap_or(u32::MAX);
        history.send_modify(|history| history.push(connections));
    }
}

/// A server that was started here; it is killed when this is dropped.
pub(crate) struct ServerProcess {
    pub(crate) url: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl ServerProcess {
    /// Starts a server with these arguments, and waits until it says where it is.
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("it has an output")?;
        let mut lines = BufReader::new(output).lines();
        let url = timeout(PATIENCE, lines.next_line()).await??;
        let url = url.context("the server ended before it served")?;
        Ok(Self { url, child, lines })
    }

    /// Returns where it listens, for one that comes after it.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("tcp://").to_owned()
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Ends it as a new release would, and returns how often `add` ran.
    pub(crate) async fn drain(mut self) -> Result<u64> {
        drop(self.child.stdin.take());
        let added = timeout(PATIENCE, self.lines.next_line()).await??;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        ensure!(status.success(), "the server ended with {status}");
        match added {
            Some(added) => Ok(added.parse()?),
            None => bail!("the server did not say what it did"),
        }
    }
}

//! A server in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use rpc_examples::fleet::{PricesServer, Shop};
use rpc_runtime::registry::Lease;
use rpc_runtime::{Channel, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failure;

/// What the servers are called in the registry.
pub(crate) const GROUP: &str = "prices";

/// After how long the registry forgets a server that died.
const LEASE: Duration = Duration::from_secs(2);

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves until standard input ends, and is in the registry as long.
pub(crate) async fn serve(registry: &str) -> Result<(), Failure> {
    let server = Server::new().add(PricesServer::new(Shop));
    let bound = server.listen("tcp://127.0.0.1:0").bind().await?;
    let registry = Channel::connect(registry).await?;
    let lease = Lease::new(GROUP, bound.url()).length(LEASE);
    let lease = lease.keep(&registry).await?;
    println!("{}", bound.url());
    let stop = bound.shutdown_handle();
    tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
        // Callers go elsewhere before the server takes no calls any more.
        if let Err(status) = lease.end().await {
            eprintln!("{status}");
        }
        stop.shutdown();
    });
    Ok(bound.serve().await?)
}

/// A server that was started here; it is killed when this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
}

impl ServerProcess {
    /// Starts a server and waits until it says where it is, when it is in the registry.
    pub(crate) async fn start(registry: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", registry])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut url = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut url)).await??;
        println!("a server at {}", url.trim());
        Ok(Self { child })
    }

    /// Ends it as a crash would: at once.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Ends it as a new release would: it takes no new calls and finishes those that it has.
    pub(crate) async fn drain(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let status = timeout(PATIENCE, self.child.wait()).await??;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the server ended with {status}").into()),
        }
    }
}

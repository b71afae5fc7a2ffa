//! A server in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use rpc_examples::fleet::{PricesServer, Shop};
use rpc_runtime::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failure;

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves until standard input ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let server = Server::new().add(PricesServer::new(Shop));
    let bound = server.listen("tcp://127.0.0.1:0").bind().await?;
    println!("{}", bound.url());
    let stop = bound.shutdown_handle();
    tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
        stop.shutdown();
    });
    Ok(bound.serve().await?)
}

/// A server that was started here; it is killed when this is dropped.
pub(crate) struct ServerProcess {
    pub(crate) url: String,
    child: Child,
}

impl ServerProcess {
    /// Starts a server and waits until it says where it is.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut url = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut url)).await??;
        let url = url.trim().to_owned();
        Ok(Self { url, child })
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

//! W2 on a single thread: 64 callers on one connection, a fixed number of calls.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use harness::{Small, expected_checksum};
use peer_rpc::{BenchClient, BenchServer, Service};
use rpc_runtime::Server;
use tokio::runtime::{Builder, Runtime};

const CALLERS: u64 = 64;

pub fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Makes a runtime whose clock stands still: under a tool that makes everything slow, handlers must
/// not be taken for slow ones, which are served in another way.
pub fn timeless_runtime() -> Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    Ok(builder.enable_all().start_paused(true).build()?)
}

/// Starts a server at `url` (`tcp://127.0.0.1:0`, or `mem:` and any name) and connects to it.
pub async fn connect(url: &str) -> Result<BenchClient> {
    connect_to(Server::new(), url).await
}

/// A server that accepts every wire, and so looks at the first bytes of a connection.
#[cfg(feature = "wires")]
pub fn of_all_wires() -> Server {
    use rpc_runtime::Wire::{Http, JsonRpc, KnSock, LengthPrefixedJson, WebSocket};
    let wires = [Http, WebSocket, JsonRpc, KnSock, LengthPrefixedJson];
    Server::new().accept(wires)
}

/// The same with a server of one's own.
pub async fn connect_to(server: Server, url: &str) -> Result<BenchClient> {
    let server = server
        .add(BenchServer::new(Service))
        .listen(url)
        .bind()
        .await?;
    let url = server.url().to_owned();
    tokio::spawn(server.serve());
    Ok(BenchClient::connect(url).await?)
}

/// Makes `calls` calls from 64 callers. Each builds a fresh message, and checks the reply.
pub async fn calls(client: &BenchClient, calls: u64) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.store(0, Ordering::Relaxed);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                loop {
                    let id = NEXT.fetch_add(1, Ordering::Relaxed);
                    if id >= calls {
                        return Ok(());
                    }
                    let echo = client.echo(Small::new(id)).await?;
                    ensure!(echo.checksum() == expected_checksum(id), "not the echo");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// The argument after the name of the program, or `default`.
pub fn argument(index: usize, default: &str) -> String {
    std::env::args()
        .nth(index)
        .unwrap_or_else(|| default.to_owned())
}

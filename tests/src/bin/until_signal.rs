//! A server for `tests/integration/signals.rs`: it says where it listens, and ends when it is told to.

use std::time::Duration;

use rpc_runtime::{Error, Server};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let server = Server::new()
        .function("wait", |milliseconds: u64| async move {
            sleep(Duration::from_millis(milliseconds)).await;
            milliseconds
        })
        .shutdown_timeout(Duration::from_secs(60))
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await?;
    println!("{}", server.url());
    server.serve_until_signal().await
}

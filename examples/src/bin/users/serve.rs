//! `users serve`.

use rpc_examples::users;
use rpc_runtime::health::Health;
use rpc_runtime::{Server, Wire};

use crate::Failure;

/// Serves until the process is interrupted.
pub(crate) async fn run(url: &str) -> Result<(), Failure> {
    let bound = Server::new()
        .router(users::router())
        .health(Health::new())
        .reflection()
        .accept([Wire::Http])
        .listen(url)
        .bind()
        .await?;
    println!("serving at {}", bound.url());
    let stop = bound.shutdown_handle();
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.shutdown();
        }
    });
    let served = bound.serve().await;
    interrupted.abort();
    Ok(served?)
}

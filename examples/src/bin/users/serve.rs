//! `users serve`.

use rpc_examples::users;
use rpc_runtime::health::Health;
use rpc_runtime::{Server, Wire};

use crate::Failure;

/// Serves until the process is told to end.
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
    Ok(bound.serve_until_signal().await?)
}

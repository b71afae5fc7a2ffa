//! The registry in which the servers are found.

use rpc_runtime::Server;
use rpc_runtime::registry::{RedisRegistry, Registry};

use crate::Failure;

/// Serves a registry as long as the process lives, and returns its URL.
pub(crate) async fn serve(redis: Option<&str>) -> Result<String, Failure> {
    let server = match redis {
        None => Server::new().add(Registry::new().service()),
        Some(url) => Server::new().add(RedisRegistry::open(url)?.service()),
    };
    let bound = server.listen("tcp://127.0.0.1:0").bind().await?;
    let url = bound.url().to_owned();
    tokio::spawn(bound.serve());
    Ok(url)
}

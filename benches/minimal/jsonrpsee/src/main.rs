//! A minimal service with jsonrpsee.
use jsonrpsee::core::{RpcResult, async_trait};
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::Server;
use jsonrpsee::ws_client::WsClientBuilder;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(unreachable_pub, reason = "the generated traits are `pub`")]
pub struct Small {
    id: u64,
    name: String,
    tags: Vec<String>,
}

#[rpc(server, client)]
trait Minimal {
    #[method(name = "echo")]
    async fn echo(&self, message: Small) -> RpcResult<Small>;
}

struct Service;

#[async_trait]
impl MinimalServer for Service {
    async fn echo(&self, message: Small) -> RpcResult<Small> {
        Ok(message)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().build("127.0.0.1:7000").await?;
    tokio::spawn(server.start(Service.into_rpc()).stopped());
    let client = WsClientBuilder::default()
        .build("ws://127.0.0.1:7000")
        .await?;
    println!(
        "{:?}",
        MinimalClient::echo(&client, Small::default()).await?
    );
    Ok(())
}

//! A minimal service with this framework, with its default features.
use rpc_runtime::{Server, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Small {
    id: u64,
    name: String,
    tags: Vec<String>,
}

#[rpc_service]
trait Minimal {
    async fn echo(&self, message: Small) -> Small;
}

struct Service;

impl Minimal for Service {
    async fn echo(&self, message: Small) -> Small {
        message
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new()
        .add(MinimalServer::new(Service))
        .listen("tcp://127.0.0.1:7000")
        .bind()
        .await?;
    tokio::spawn(server.serve());
    let client = MinimalClient::connect("tcp://127.0.0.1:7000").await?;
    println!("{:?}", client.echo(Small::default()).await?);
    Ok(())
}

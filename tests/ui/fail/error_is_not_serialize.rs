use rpc_runtime::{RpcError, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Deserialize, RpcError)]
#[error("unknown name")]
struct GreetError;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> Result<String, GreetError>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> Result<String, GreetError> {
        Ok(name)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

use rpc_runtime::{RpcError, rpc_service};

use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcError)]
#[error("unknown name")]
struct UnknownName;

type GreeterResult<T> = Result<T, UnknownName>;

#[rpc_service(client_trait)]
trait Greeter {
    async fn greet(&self, name: String) -> GreeterResult<String>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> GreeterResult<String> {
        Ok(name)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

use rpc_runtime::{RpcError, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, RpcError)]
#[rpc(error_code = NotFound)]
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

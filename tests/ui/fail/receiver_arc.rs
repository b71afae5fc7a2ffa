use std::sync::Arc;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(self: Arc<Self>, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(self: Arc<Self>, name: String) -> String {
        name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

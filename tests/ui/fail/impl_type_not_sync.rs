use std::cell::Cell;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
}

struct Polite(Cell<u64>);

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite(Cell::new(0))));
    let _ = client.greet("Ann".to_owned());
}

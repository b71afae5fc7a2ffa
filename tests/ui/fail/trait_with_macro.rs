use rpc_runtime::rpc_service;

macro_rules! methods {
    () => {};
}

#[rpc_service]
trait Greeter {
    methods!();
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

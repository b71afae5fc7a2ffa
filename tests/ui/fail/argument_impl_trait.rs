use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: impl Into<String>) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: impl Into<String>) -> String {
        name.into()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

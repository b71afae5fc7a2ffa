use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: Box<dyn ToString>) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: Box<dyn ToString>) -> String {
        name.to_string()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(Box::new("Ann"));
}

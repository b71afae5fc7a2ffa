use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&'static self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&'static self, name: String) -> String {
        name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

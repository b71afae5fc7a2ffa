use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet<T: ToString>(&self, name: T) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet<T: ToString>(&self, name: T) -> String {
        name.to_string()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

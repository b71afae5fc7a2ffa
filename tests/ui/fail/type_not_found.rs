use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, person: Persn) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, person: Persn) -> String {
        drop(person);
        String::new()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client;
}

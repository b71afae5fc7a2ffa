use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    #[rpc(resumable)]
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
    let _ = client.greet("a".to_owned());
}

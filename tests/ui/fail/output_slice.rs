use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn bytes(&self) -> Box<[&str]>;
}

struct Polite;

impl Greeter for Polite {
    async fn bytes(&self) -> Box<[&str]> {
        Box::new(["a"])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.bytes();
}

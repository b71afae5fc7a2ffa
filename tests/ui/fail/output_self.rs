use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn copy(&self) -> Option<Self>;
}

struct Polite;

impl Greeter for Polite {
    async fn copy(&self) -> Option<Self> {
        None
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.copy();
}

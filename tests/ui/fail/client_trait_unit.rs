use rpc_runtime::rpc_service;

#[rpc_service(client_trait)]
trait Greeter {
    async fn ping(&self);
}

struct Polite;

impl Greeter for Polite {
    async fn ping(&self) {}
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.ping();
}

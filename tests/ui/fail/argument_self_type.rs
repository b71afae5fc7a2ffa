use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn merge(&self, other: Self) -> i64;
}

struct Polite;

impl Greeter for Polite {
    async fn merge(&self, other: Self) -> i64 {
        drop(other);
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.merge(Polite);
}

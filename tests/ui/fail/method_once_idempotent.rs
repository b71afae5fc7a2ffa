use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    #[rpc(once, idempotent)]
    async fn add(&self, a: i64, b: i64) -> i64;
}

struct Polite;

impl Greeter for Polite {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.add(1, 2);
}

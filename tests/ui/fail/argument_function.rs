use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn apply(&self, f: fn(i64) -> i64) -> i64;
}

struct Polite;

impl Greeter for Polite {
    async fn apply(&self, f: fn(i64) -> i64) -> i64 {
        f(1)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.apply(|n| n + 1);
}

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn sum(&self, numbers: &[i64]) -> i64;
}

struct Polite;

impl Greeter for Polite {
    async fn sum(&self, numbers: &[i64]) -> i64 {
        numbers.iter().sum()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.sum(&[1, 2]);
}

use rpc_runtime::{Streaming, rpc_service};

#[rpc_service]
trait Greeter {
    async fn join(&self, names: Option<Streaming<String>>) -> u64;
}

struct Polite;

impl Greeter for Polite {
    async fn join(&self, names: Option<Streaming<String>>) -> u64 {
        u64::from(names.is_some())
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.join(None);
}

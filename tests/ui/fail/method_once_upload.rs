use futures_util::stream;

use rpc_runtime::{Streaming, rpc_service};

#[rpc_service]
trait Greeter {
    #[rpc(once)]
    async fn join(&self, names: Streaming<String>) -> u64;
}

struct Polite;

impl Greeter for Polite {
    async fn join(&self, names: Streaming<String>) -> u64 {
        drop(names);
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.join(stream::iter(["a".to_owned()]));
}

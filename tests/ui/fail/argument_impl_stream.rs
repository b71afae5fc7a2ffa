use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn join(&self, names: impl Stream<Item = String> + Send) -> u64;
}

struct Polite;

impl Greeter for Polite {
    async fn join(&self, names: impl Stream<Item = String> + Send) -> u64 {
        drop(names);
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.join(stream::iter(["a".to_owned()]));
}

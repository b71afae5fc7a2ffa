use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn words(&self) -> impl Stream<Item = String>;
}

struct Polite;

impl Greeter for Polite {
    async fn words(&self) -> impl Stream<Item = String> {
        stream::iter(["a".to_owned()])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.words();
}

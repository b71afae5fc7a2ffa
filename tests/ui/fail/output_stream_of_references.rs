use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn words(&self) -> impl Stream<Item = &str>;
}

struct Polite;

impl Greeter for Polite {
    fn words(&self) -> impl Stream<Item = &str> {
        stream::iter(["a"])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.words();
}

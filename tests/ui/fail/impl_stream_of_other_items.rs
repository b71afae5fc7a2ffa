use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn count(&self) -> impl Stream<Item = u64>;
}

struct Polite;

impl Greeter for Polite {
    fn count(&self) -> impl Stream<Item = u64> {
        stream::iter(["one"])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.count();
}

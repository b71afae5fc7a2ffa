use futures_util::stream::{self, Stream};
use std::pin::Pin;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn words(&self) -> Pin<Box<dyn Stream<Item = String> + Send>>;
}

struct Polite;

impl Greeter for Polite {
    fn words(&self) -> Pin<Box<dyn Stream<Item = String> + Send>> {
        Box::pin(stream::iter(["a".to_owned()]))
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.words();
}

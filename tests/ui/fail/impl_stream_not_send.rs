use futures_util::stream::{self, Stream};
use std::rc::Rc;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn words(&self) -> impl Stream<Item = String>;
}

struct Polite;

impl Greeter for Polite {
    fn words(&self) -> impl Stream<Item = String> {
        let shared = Rc::new("a".to_owned());
        stream::once(async move { shared.to_string() })
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.words();
}

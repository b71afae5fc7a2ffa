use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    fn people(&self) -> impl Stream<Item = Person>;
}

struct Polite;

impl Greeter for Polite {
    fn people(&self) -> impl Stream<Item = Person> {
        stream::iter([])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.people();
}

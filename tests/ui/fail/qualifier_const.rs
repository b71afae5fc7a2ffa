use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    const fn letters(&self, name: String) -> impl Stream<Item = char>;
}

struct Polite;

impl Greeter for Polite {
    fn letters(&self, name: String) -> impl Stream<Item = char> {
        stream::iter(name.chars().collect::<Vec<_>>())
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.letters("Ann".to_owned());
}

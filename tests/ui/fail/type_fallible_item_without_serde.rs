use futures_util::stream::{self, Stream};

use rpc_runtime::{Status, rpc_service};

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    fn people(&self) -> impl Stream<Item = Result<Person, Status>>;
}

struct Polite;

impl Greeter for Polite {
    fn people(&self) -> impl Stream<Item = Result<Person, Status>> {
        stream::iter([])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.people();
}

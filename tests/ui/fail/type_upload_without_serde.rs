use futures_util::stream;

use rpc_runtime::{Streaming, rpc_service};

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn join(&self, people: Streaming<Person>) -> u64;
}

struct Polite;

impl Greeter for Polite {
    async fn join(&self, people: Streaming<Person>) -> u64 {
        drop(people);
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.join(stream::iter([]));
}

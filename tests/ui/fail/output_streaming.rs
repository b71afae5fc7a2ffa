use futures_util::stream;

use rpc_runtime::{Streaming, rpc_service};

#[rpc_service]
trait Greeter {
    fn count(&self, numbers: Streaming<u64>) -> Streaming<u64>;
}

struct Polite;

impl Greeter for Polite {
    fn count(&self, numbers: Streaming<u64>) -> Streaming<u64> {
        numbers
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.count(stream::iter([1]));
}

use futures_util::stream;

use rpc_runtime::{Streaming, rpc_service};

#[rpc_service]
trait Greeter {
    async fn join(&self, a: Streaming<i64>, b: Streaming<i64>) -> i64;
}

struct Polite;

impl Greeter for Polite {
    async fn join(&self, a: Streaming<i64>, b: Streaming<i64>) -> i64 {
        drop((a, b));
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.join(stream::iter([1]), stream::iter([2]));
}

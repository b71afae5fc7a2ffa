use futures_util::{Stream, stream};

use rpc_runtime::{Streaming, rpc_service};

#[rpc_service]
trait Greeter {
    #[rpc(resumable)]
    fn greet(&self, names: Streaming<String>) -> impl Stream<Item = String>;
}

struct Polite;

impl Greeter for Polite {
    fn greet(&self, names: Streaming<String>) -> impl Stream<Item = String> {
        drop(names);
        stream::empty()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(stream::iter(["a".to_owned()]));
}

use futures_util::stream::{self, Stream};

use rpc_runtime::{Status, rpc_service};

#[rpc_service]
trait Greeter {
    fn letters(&self) -> Result<impl Stream<Item = char>, Status>;
}

struct Polite;

impl Greeter for Polite {
    fn letters(&self) -> Result<impl Stream<Item = char>, Status> {
        Ok(stream::iter(['a']))
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.letters();
}

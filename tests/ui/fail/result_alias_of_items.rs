use futures_util::stream::{self, Stream};

use rpc_runtime::{Status, rpc_service};

type Fallible<T> = Result<T, Status>;

#[rpc_service]
trait Greeter {
    fn words(&self) -> impl Stream<Item = Fallible<String>>;
}

struct Polite;

impl Greeter for Polite {
    fn words(&self) -> impl Stream<Item = Fallible<String>> {
        stream::iter([Ok("a".to_owned())])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.words();
}

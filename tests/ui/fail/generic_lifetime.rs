use std::borrow::Cow;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet<'a>(&self, name: Cow<'a, str>) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet<'a>(&self, name: Cow<'a, str>) -> String {
        name.into_owned()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".into());
}

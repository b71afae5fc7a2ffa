use std::borrow::Cow;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: Cow<'_, str>) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: Cow<'_, str>) -> String {
        name.into_owned()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".into());
}

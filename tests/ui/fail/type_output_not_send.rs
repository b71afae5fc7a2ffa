use std::rc::Rc;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn get(&self) -> Rc<str>;
}

struct Polite;

impl Greeter for Polite {
    async fn get(&self) -> Rc<str> {
        "a".into()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.get();
}

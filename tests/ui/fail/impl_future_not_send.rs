use std::rc::Rc;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        let shared = Rc::new(name);
        std::future::ready(()).await;
        shared.to_string()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

//! A service.
#![deny(missing_docs)]

use rpc_runtime::rpc_service;

#[rpc_service]
/// Greets people.
pub trait Greeter {
    /// Greets.
    async fn greet(&self, name: String) -> String;
    async fn bye(&self);
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }

    async fn bye(&self) {}
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.bye();
}

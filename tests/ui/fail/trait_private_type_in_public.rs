#![deny(private_interfaces)]

use rpc_runtime::rpc_service;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Name(String);

#[rpc_service]
pub trait Greeter {
    async fn greet(&self, name: Name) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: Name) -> String {
        name.0
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(Name(String::new()));
}

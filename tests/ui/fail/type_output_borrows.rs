use rpc_runtime::rpc_service;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Borrowed<'a>(&'a str);

type Name = Borrowed<'static>;

#[rpc_service]
trait Greeter {
    async fn get(&self) -> Name;
}

struct Polite;

impl Greeter for Polite {
    async fn get(&self) -> Name {
        Borrowed("Ann")
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.get();
}

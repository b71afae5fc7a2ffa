use rpc_runtime::rpc_service;

use serde::Serialize;

#[derive(Debug, Serialize)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn greet(&self, person: Person) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, person: Person) -> String {
        person.name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(Person {
        name: "Ann".to_owned(),
    });
}

use rpc_runtime::rpc_service;

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn greet(&self, people: Vec<Person>) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, people: Vec<Person>) -> String {
        format!("{people:?}")
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(Vec::new());
}

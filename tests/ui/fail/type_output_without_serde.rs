use rpc_runtime::rpc_service;

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn find(&self, name: String) -> Person;
}

struct Polite;

impl Greeter for Polite {
    async fn find(&self, name: String) -> Person {
        Person { name }
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.find("Ann".to_owned());
}

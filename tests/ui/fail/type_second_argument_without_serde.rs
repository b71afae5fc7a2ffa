use rpc_runtime::rpc_service;

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn greet(&self, title: String, person: Person) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, title: String, person: Person) -> String {
        title + &person.name
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(
        "Dr.".to_owned(),
        Person {
            name: "Ann".to_owned(),
        },
    );
}

use rpc_runtime::{Status, rpc_service};

#[derive(Debug)]
struct Person {
    name: String,
}

#[rpc_service]
trait Greeter {
    async fn find(&self, name: String) -> Result<Person, Status>;
}

struct Polite;

impl Greeter for Polite {
    async fn find(&self, name: String) -> Result<Person, Status> {
        Ok(Person { name })
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.find("Ann".to_owned());
}

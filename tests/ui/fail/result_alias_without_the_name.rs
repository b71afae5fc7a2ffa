use rpc_runtime::{Status, rpc_service};

type Fallible<T> = Result<T, Status>;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> Fallible<String>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> Fallible<String> {
        Ok(name)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

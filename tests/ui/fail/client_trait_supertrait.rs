use rpc_runtime::{Status, rpc_service};

#[rpc_service(client_trait)]
trait Greeter: Default {
    async fn greet(&self, name: String) -> Result<String, Status>;
}

#[derive(Default)]
struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> Result<String, Status> {
        Ok(name)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

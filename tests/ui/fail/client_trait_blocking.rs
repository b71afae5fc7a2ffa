use rpc_runtime::{Status, rpc_service};

#[rpc_service(client_trait)]
trait Greeter {
    #[rpc(blocking)]
    fn greet(&self, name: String) -> Result<String, Status>;
}

struct Polite;

impl Greeter for Polite {
    fn greet(&self, name: String) -> Result<String, Status> {
        Ok(name)
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

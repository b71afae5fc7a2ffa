use rpc_runtime::{Server, rpc_service};

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let _ = Server::new().add(Polite);
}

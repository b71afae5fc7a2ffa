use rpc_runtime::{Context, rpc_service};

#[rpc_service]
trait Greeter {
    async fn whoami(&self, ctx: &Context) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn whoami(&self) -> String {
        String::new()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.whoami();
}

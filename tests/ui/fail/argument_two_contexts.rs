use rpc_runtime::{Context, rpc_service};

#[rpc_service]
trait Greeter {
    async fn whoami(&self, a: &Context, b: &Context) -> bool;
}

struct Polite;

impl Greeter for Polite {
    async fn whoami(&self, a: &Context, b: &Context) -> bool {
        a.method().path() == b.method().path()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.whoami();
}

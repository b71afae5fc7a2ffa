use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn stop(&self) -> !;
}

struct Polite;

impl Greeter for Polite {
    async fn stop(&self) -> ! {
        loop {}
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.stop();
}

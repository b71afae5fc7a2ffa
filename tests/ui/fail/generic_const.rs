use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet<const N: usize>(&self, name: [u8; N]) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet<const N: usize>(&self, name: [u8; N]) -> String {
        String::from_utf8_lossy(&name).into_owned()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet([65, 66]);
}

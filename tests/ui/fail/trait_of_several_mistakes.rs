use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&mut self, name: &str) -> String;
    fn bye(&self, name: String) -> String;
    async fn good(&self) -> u8;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&mut self, name: &str) -> String {
        name.to_owned()
    }

    fn bye(&self, name: String) -> String {
        name
    }

    async fn good(&self) -> u8 {
        1
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.good();
}

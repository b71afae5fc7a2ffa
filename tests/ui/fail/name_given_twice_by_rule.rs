use rpc_runtime::rpc_service;

#[rpc_service(rename_all = "lowercase")]
trait Greeter {
    async fn get_it(&self) -> u8;
    async fn getit(&self) -> u8;
}

struct Polite;

impl Greeter for Polite {
    async fn get_it(&self) -> u8 {
        1
    }

    async fn getit(&self) -> u8 {
        2
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.getit();
}

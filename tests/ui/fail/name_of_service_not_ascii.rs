use rpc_runtime::rpc_service;

#[rpc_service]
trait Grüßer {
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Grüßer for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let client = GrüßerClient::new(GrüßerServer::new(Polite));
    let _ = client.greet("Ann".to_owned());
}

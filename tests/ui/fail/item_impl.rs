use rpc_runtime::rpc_service;

struct Polite;

#[rpc_service]
impl Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let _ = Polite.greet("Ann".to_owned());
}

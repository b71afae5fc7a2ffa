use rpc_runtime::rpc_service;

#[rpc_service]
async fn greet(name: String) -> String {
    name
}

fn main() {
    let _ = greet("Ann".to_owned());
}

use std::path::Path;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn size(&self, path: &Path) -> u64;
}

struct Polite;

impl Greeter for Polite {
    async fn size(&self, path: &Path) -> u64 {
        path.as_os_str().len() as u64
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.size(Path::new("a"));
}

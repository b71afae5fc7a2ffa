use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn read(&self, at: *const u8) -> bool;
}

struct Polite;

impl Greeter for Polite {
    async fn read(&self, at: *const u8) -> bool {
        at.is_null()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.read(std::ptr::null());
}

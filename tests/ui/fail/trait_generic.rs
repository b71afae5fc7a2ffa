use rpc_runtime::rpc_service;

#[rpc_service]
trait Store<T> {
    async fn get(&self, key: u64) -> T;
}

struct Polite;

impl Store<String> for Polite {
    async fn get(&self, key: u64) -> String {
        key.to_string()
    }
}

fn main() {
    let _ = StoreServer::new(Polite);
}

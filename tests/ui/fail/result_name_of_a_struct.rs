use rpc_runtime::rpc_service;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct SearchResult {
    hits: u64,
}

#[rpc_service]
trait Greeter {
    async fn search(&self, words: String) -> SearchResult;
}

struct Polite;

impl Greeter for Polite {
    async fn search(&self, words: String) -> SearchResult {
        SearchResult {
            hits: words.len() as u64,
        }
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.search("a".to_owned());
}

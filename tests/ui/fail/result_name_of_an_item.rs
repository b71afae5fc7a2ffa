use futures_util::stream::{self, Stream};

use rpc_runtime::rpc_service;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct SearchResult {
    hits: u64,
}

#[rpc_service]
trait Greeter {
    fn search(&self, words: String) -> impl Stream<Item = SearchResult>;
}

struct Polite;

impl Greeter for Polite {
    fn search(&self, words: String) -> impl Stream<Item = SearchResult> {
        stream::iter([SearchResult {
            hits: words.len() as u64,
        }])
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.search("a".to_owned());
}

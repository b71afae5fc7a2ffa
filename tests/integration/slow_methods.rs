//! Handlers that compute for long leave the task that reads the connection.

use std::thread;
use std::time::Duration;

use rpc_runtime::{Server, rpc_service};
use rpc_tests::serving::serve;

#[rpc_service]
trait Work {
    /// Computes, and says which task that happened in.
    async fn compute(&self, microseconds: u64) -> String;
}

struct Worker;

impl Work for Worker {
    async fn compute(&self, microseconds: u64) -> String {
        thread::sleep(Duration::from_micros(microseconds));
        tokio::task::id().to_string()
    }
}

#[tokio::test]
async fn a_method_that_was_slow_gets_tasks() {
    slow_calls_get_tasks("mem").await;
}

#[tokio::test]
async fn a_connection_of_json_that_had_slow_calls_runs_them_in_tasks() {
    for wire in ["jsonrpc+tcp", "lpjson"] {
        slow_calls_get_tasks(wire).await;
    }
}

async fn slow_calls_get_tasks(transport: &str) {
    let server = Server::new().add(WorkServer::new(Worker));
    let serving = serve(transport, server).await;
    let client = WorkClient::connect(serving.url.as_str()).await.unwrap();
    let first = client.compute(1_000).await.unwrap();
    let second = client.compute(1_000).await.unwrap();
    assert_eq!(second, first, "one slow call may be the machine's doing");
    let mut others = Vec::new();
    for _ in 0..16 {
        others.push(client.compute(1_000).await.unwrap());
    }
    assert!(!others.contains(&first), "{first} among {others:?}");
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 16, "each in a task of its own");
    let again = client.compute(1_000).await.unwrap();
    assert_eq!(again, first, "it is tried in place again");
}

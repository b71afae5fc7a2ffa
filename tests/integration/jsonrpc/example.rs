//! The service and the examples of the specification
//! (<https://www.jsonrpc.org/specification#examples>).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_runtime::{RpcError, Server, Status, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The examples: a text, and what it is answered, if anything.
pub(super) fn examples() -> impl Iterator<Item = (&'static str, Option<Value>)> {
    let examples = include_str!("examples.txt").split("\n\n");
    let examples = examples.filter(|it| !it.starts_with('#'));
    examples.map(|example| {
        let (out, back) = example.split_once("\n<--").expect("both sides");
        let back = back.trim();
        let back = (!back.is_empty()).then(|| serde_json::from_str(back).expect("an answer"));
        (out.strip_prefix("--> ").expect("the caller begins"), back)
    })
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize, RpcError)]
pub(super) enum ExampleError {
    #[error("{left} is left")]
    #[rpc(error_code = OutOfRange)]
    TooMuch { left: i64 },
}

#[rpc_service(name = "test.v1.Example")]
pub(super) trait Example {
    async fn subtract(&self, minuend: i64, subtrahend: i64) -> i64;
    async fn sum(&self, a: i64, b: i64, c: i64) -> i64;
    async fn update(&self, a: i64, b: i64, c: i64, d: i64, e: i64);
    async fn notify_hello(&self, number: i64);
    async fn notify_sum(&self, a: i64, b: i64, c: i64);
    async fn get_data(&self) -> Value;
    async fn echo(&self, value: Value) -> Value;
    async fn big(&self, number: u64) -> u64;
    async fn take(&self, amount: i64) -> Result<i64, ExampleError>;
    async fn maybe(&self, number: Option<i64>) -> Option<i64>;
    #[rpc(bare)]
    async fn whole(&self, value: Value) -> Value;
    #[rpc(timeout = "50ms")]
    async fn hurry(&self) -> Result<(), Status>;
    /// Waits, and counts those who do.
    async fn wait(&self, milliseconds: u64) -> u64;
}

#[derive(Clone, Default)]
pub(super) struct Served {
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) notified: Arc<AtomicUsize>,
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Example for Served {
    async fn subtract(&self, minuend: i64, subtrahend: i64) -> i64 {
        minuend - subtrahend
    }

    async fn sum(&self, a: i64, b: i64, c: i64) -> i64 {
        a + b + c
    }

    async fn update(&self, _: i64, _: i64, _: i64, _: i64, _: i64) {
        self.notified.fetch_add(1, Ordering::SeqCst);
    }

    async fn notify_hello(&self, _: i64) {
        self.notified.fetch_add(1, Ordering::SeqCst);
    }

    async fn notify_sum(&self, _: i64, _: i64, _: i64) {
        self.notified.fetch_add(1, Ordering::SeqCst);
    }

    async fn get_data(&self) -> Value {
        json!(["hello", 5])
    }

    async fn echo(&self, value: Value) -> Value {
        value
    }

    async fn big(&self, number: u64) -> u64 {
        number
    }

    async fn take(&self, amount: i64) -> Result<i64, ExampleError> {
        if amount > 10 {
            return Err(ExampleError::TooMuch { left: 10 });
        }
        Ok(10 - amount)
    }

    async fn maybe(&self, number: Option<i64>) -> Option<i64> {
        number.map(|it| it + 1)
    }

    async fn whole(&self, value: Value) -> Value {
        value
    }

    async fn hurry(&self) -> Result<(), Status> {
        std::future::pending().await
    }

    async fn wait(&self, milliseconds: u64) -> u64 {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }
}

/// A server of the example, and what it counts.
pub(super) fn server() -> (Server, Served) {
    let served = Served::default();
    let server = Server::new().add(ExampleServer::new(served.clone()));
    (server, served)
}

/// Waits until so many calls wait in their handlers.
pub(super) async fn until(count: &AtomicUsize, expected: usize) {
    let reached = async {
        while count.load(Ordering::SeqCst) != expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
    reached.unwrap_or_else(|_| panic!("{expected} are awaited, there are {count:?}"));
}

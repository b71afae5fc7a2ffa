//! A client in another language, written from `docs/wire.md` alone, against a real server.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{Stream, stream};
use rpc_runtime::{RpcError, Server, Status, Streaming, rpc_service};
use rpc_tests::serving::serve;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

#[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcError)]
#[error("cannot divide by zero")]
#[rpc(error_code = InvalidArgument)]
struct DivisionByZero {
    dividend: f64,
}

#[rpc_service(name = "math.v1.Math")]
trait Math {
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero>;
    fn primes(&self, up_to: u64) -> impl Stream<Item = u64>;
    async fn sum(&self, numbers: Streaming<i64>) -> Result<i64, Status>;
}

struct Calculator;

impl Math for Calculator {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero> {
        if b == 0.0 {
            Err(DivisionByZero { dividend: a })
        } else {
            Ok(a / b)
        }
    }

    fn primes(&self, up_to: u64) -> impl Stream<Item = u64> {
        let is_prime = |n: &u64| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        stream::iter((2..=up_to).filter(is_prime))
    }

    async fn sum(&self, mut numbers: Streaming<i64>) -> Result<i64, Status> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
        }
        Ok(sum)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_written_from_the_specification_works() {
    let serving = serve("tcp", Server::new().add(MathServer::new(Calculator))).await;
    let address = serving.url.strip_prefix("tcp://").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/test_native.py");
    let mut python = Command::new("python3");
    python
        .arg(script)
        .arg(address)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), python.output())
        .await
        .expect("the script is bounded in time")
        .expect("python3 is there (bash tests/setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a check failed, see above");
    assert!(text.lines().count() > 10, "every check prints a line");
}

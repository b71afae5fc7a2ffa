//! Batches: one write, and every call for itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rpc_runtime::transport::Io;
use rpc_runtime::{CallError, Channel, Code, Server, batch, rpc_service};
use rpc_tests::math::{Calculator, MathClient, MathError, MathResult, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that counts its writes.
struct Counting {
    inner: TcpStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn the_requests_of_a_batch_leave_in_one_write() {
    let serving = serve("tcp", Server::new().add(MathServer::new(Calculator::new()))).await;
    let address = serving.url.strip_prefix("tcp://").unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    let io = Counting {
        inner: TcpStream::connect(address).await.unwrap(),
        writes: Arc::clone(&writes),
    };
    let math = MathClient::new(Channel::over(Io::new(io)));
    math.add(0, 0).await.unwrap();

    let before = writes.load(Ordering::SeqCst);
    let calls: Vec<_> = (0..200).map(|n| math.add(n, n)).collect();
    let results = batch(calls).await;
    assert_eq!(writes.load(Ordering::SeqCst) - before, 1);
    for (n, result) in (0..).zip(results) {
        assert_eq!(result.unwrap(), 2 * n);
    }
}

#[tokio::test]
async fn each_call_of_a_batch_fails_alone() {
    for transport in TRANSPORTS {
        let server = Server::new().add(MathServer::new(Calculator::new()));
        let serving = serve(transport, server).await;
        let math = MathClient::connect(&serving.url).await.unwrap();
        let (sum, quotient, panic) =
            batch((math.add(1, 2), math.divide(1.0, 0.0), math.panic())).await;
        assert_eq!(sum.unwrap(), 3);
        assert!(quotient.unwrap_err().app().is_some());
        assert_eq!(panic.unwrap_err().code(), Code::Internal);
    }
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let math = MathClient::new(MathServer::new(Calculator::new()));
    let calls: Vec<_> = (0..3).map(|n| math.add(n, n)).collect();
    for result in batch(calls).max_calls(2).await {
        let status = result.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("`max_calls` of 2"), "{status}");
    }
}

/// What one call of a random batch is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    Answer(u64),
    Wait(u64),
    Fail,
    Panic,
    /// Takes longer than the caller allows.
    Overrun,
}

impl Step {
    fn random(random: &mut fastrand::Rng) -> Self {
        match random.u8(..10) {
            0..4 => Self::Answer(random.u64(..)),
            4..7 => Self::Wait(random.u64(..5)),
            7 => Self::Fail,
            8 => Self::Panic,
            _ => Self::Overrun,
        }
    }
}

#[rpc_service]
trait Steps {
    async fn run(&self, step: Step) -> MathResult<u64>;
}

/// Counts the steps that it runs, but those that may be over before they begin.
#[derive(Default)]
struct Counted(Arc<AtomicUsize>);

impl Steps for Counted {
    async fn run(&self, step: Step) -> MathResult<u64> {
        if !matches!(step, Step::Overrun) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        match step {
            Step::Answer(number) => Ok(number),
            Step::Wait(milliseconds) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Ok(milliseconds)
            }
            Step::Fail => Err(MathError::Overflow),
            Step::Panic => panic!("on purpose"),
            Step::Overrun => std::future::pending().await,
        }
    }
}

/// How a call has ended: with this number, or with this code and the service's own error.
type Outcome = Result<u64, (Code, Option<MathError>)>;

fn outcome(result: Result<u64, CallError<MathError>>) -> Outcome {
    result.map_err(|error| (error.code(), error.app().cloned()))
}

#[tokio::test]
async fn a_batch_of_any_calls_ends_as_each_of_them_alone() {
    let wires = ["grpc", "connect+http", "jsonrpc+tcp", "lpjson"];
    for transport in TRANSPORTS.into_iter().chain(wires) {
        let runs = Arc::new(AtomicUsize::new(0));
        let server = Server::new().add(StepsServer::new(Counted(Arc::clone(&runs))));
        let serving = serve(transport, server).await;
        let client = StepsClient::connect(&serving.url).await.unwrap();
        let call = |step: &Step| {
            let patience = match step {
                Step::Overrun => Duration::from_millis(50),
                _ => Duration::from_secs(60),
            };
            client.run(step.clone()).timeout(patience)
        };
        for seed in 0..4 {
            let mut random = fastrand::Rng::with_seed(seed);
            let steps: Vec<Step> = (0..random.usize(..32))
                .map(|_| Step::random(&mut random))
                .collect();
            let counted = steps.iter().filter(|it| !matches!(it, Step::Overrun));
            let counted = counted.count();
            let what = format!("over {transport}, seed {seed}: {steps:?}");

            let before = runs.load(Ordering::SeqCst);
            let mut alone = Vec::new();
            for step in &steps {
                alone.push(outcome(call(step).await));
            }
            assert_eq!(runs.load(Ordering::SeqCst), before + counted, "{what}");
            let together = batch(steps.iter().map(call).collect::<Vec<_>>()).await;
            let together: Vec<Outcome> = together.into_iter().map(outcome).collect();
            assert_eq!(together, alone, "{what}");
            assert_eq!(runs.load(Ordering::SeqCst), before + 2 * counted, "{what}");
        }
    }
}

//! Batches: one write, and every call for itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rpc_runtime::transport::Io;
use rpc_runtime::{Channel, Code, Server, batch};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};
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

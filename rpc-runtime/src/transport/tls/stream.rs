//! A TLS stream as the wires see it: its errors say in words what happened.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::super::Io;
use super::explain::{Side, explain};

/// How long a side that refuses the other waits for it to read why.
const LINGER: Duration = Duration::from_secs(1);

/// How much of what comes meanwhile is read and dropped.
const LINGER_BYTES: u64 = 64 << 10;

/// Makes a stream of bytes of one whose handshake has ended. The peer is named by its `tls://` URL.
pub(super) fn secured<S>(stream: S, side: Side, peer: &str) -> Io
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = match peer.strip_prefix("tcp://") {
        Some(address) => format!("tls://{address}"),
        None => peer.to_owned(),
    };
    Io::new(Explained { stream, side }).with_peer(peer)
}

/// Ends a connection such that the other side can read what it was told last: closing a socket
/// with bytes unread resets the connection, and takes along what has not been read yet.
pub(super) async fn linger(mut io: Io) {
    let drain = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    let _ = timeout(LINGER, drain).await;
}

struct Explained<S> {
    stream: S,
    side: Side,
}

impl<S> Explained<S> {
    fn explain<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| match error.kind() {
            // rustls points to a page that explains truncation attacks.
            io::ErrorKind::UnexpectedEof => io::Error::new(
                error.kind(),
                "the connection was cut off: TLS did not announce its end",
            ),
            _ => explain(error, self.side),
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        Poll::Ready(self.explain(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.explain(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.explain(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.explain(flushed))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        Poll::Ready(self.explain(shut))
    }
}

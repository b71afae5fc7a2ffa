//! The connection as a stream of bytes, which the native wire speaks over.
//!
//! What is written leaves in binary messages of one frame, and what comes in binary messages is
//! read, wherever they begin and end: the wire above knows its own frames. So a message is never
//! held, and has no limit here; there is no compression either, which that wire would have to bound.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Side;
use super::close::{CloseCode, Violation};
use super::socket::Socket;
use crate::transport::Io;

/// How many bytes one frame takes.
const FRAME: usize = 64 << 10;

/// A byte stream inside of WebSocket messages.
pub(crate) struct ByteStream {
    socket: Socket,
    /// What came for the reader, and it has not taken.
    payload: BytesMut,
}

impl ByteStream {
    /// Makes a byte stream of a connection after its handshake, of which `received` was read
    /// already.
    pub(crate) fn open(io: Io, side: Side, received: BytesMut) -> Io {
        let peer = Arc::clone(io.peer());
        let stream = Self {
            socket: Socket::new(io, side, false, received),
            payload: BytesMut::new(),
        };
        Io::new(stream).with_peer(&*peer)
    }

    fn poll_frame<'a>(
        &mut self,
        cx: &mut TaskContext<'_>,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_write_out(cx))?;
        let length = parts.clone().map(<[u8]>::len).sum();
        if length > 0 {
            self.socket.push_message(false, false, parts)?;
        }
        // What cannot go now goes with the next write or flush.
        match self.socket.poll_write_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(length)),
        }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.payload.is_empty() {
            let Some(part) = ready!(self.socket.poll_part(cx))? else {
                return Poll::Ready(Ok(()));
            };
            if part.begins.is_some_and(|it| it.is_text) {
                let text = "this subprotocol has no text messages";
                let violation = Violation::new(CloseCode::UNSUPPORTED, text);
                self.socket.refuse(violation);
                continue;
            }
            self.payload = part.bytes;
        }
        let length = self.payload.len().min(buffer.remaining());
        buffer.put_slice(&self.payload.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = bytes.get(..FRAME).unwrap_or(bytes);
        self.poll_frame(cx, std::iter::once(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let parts = slices.iter().scan(FRAME, |room, slice| {
            let taken = slice.get(..*room).unwrap_or(slice);
            *room -= taken.len();
            Some(taken)
        });
        self.poll_frame(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn server() -> (Io, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        (
            ByteStream::open(Io::new(ours), Side::Server, BytesMut::new()),
            theirs,
        )
    }

    async fn read(from: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn bytes_of_any_number_pass_both_ways() {
        let (first, second) = duplex(5_000);
        let mut client = ByteStream::open(Io::new(first), Side::Client, BytesMut::new());
        let mut server = ByteStream::open(Io::new(second), Side::Server, BytesMut::new());
        let sent: Vec<u8> = (0..300_000_u32).map(|it| (it % 251) as u8).collect();
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let ((), ()) = tokio::join!(
            async {
                client.write_all(&sent).await.unwrap();
                client.flush().await.unwrap();
                down.resize(sent.len(), 0);
                client.read_exact(&mut down).await.unwrap();
                client.shutdown().await.unwrap();
            },
            async {
                up.resize(sent.len(), 0);
                server.read_exact(&mut up).await.unwrap();
                server.write_all(&up).await.unwrap();
                server.flush().await.unwrap();
                assert_eq!(
                    server.read(&mut [0]).await.unwrap(),
                    0,
                    "a close is the end"
                );
            },
        );
        assert!(up == sent && down == sent);
    }

    #[tokio::test]
    async fn a_ping_is_answered_while_nobody_writes() {
        let (mut server, mut client) = server();
        client
            .write_all(&[0x89, 0x82, 0, 0, 0, 0, 7, 8])
            .await
            .unwrap();
        let answered = read(&mut client, 4);
        tokio::select! {
            answer = answered => assert_eq!(answer, [0x8A, 2, 7, 8]),
            read = server.read_u8() => panic!("{read:?}"),
        }
    }

    #[tokio::test]
    async fn a_flood_of_pings_takes_no_memory() {
        let (ours, mut theirs) = duplex(1 << 10);
        let mut server = ByteStream::open(Io::new(ours), Side::Server, BytesMut::new());
        let pings = [0x89, 0x81, 0, 0, 0, 0, 7].repeat(100_000);
        let sending = async { theirs.write_all(&pings).await };
        // The client never reads, so nothing of the answers gets out.
        tokio::select! {
            sent = sending => sent.unwrap(),
            read = server.read_u8() => panic!("{read:?}"),
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_says_that_it_goes_away() {
        let (mut server, mut client) = server();
        server.write_all(b"bye").await.unwrap();
        server.shutdown().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, [0x82, 3, b'b', b'y', b'e', 0x88, 2, 3, 0xE9]);
        assert!(server.write_all(b"more").await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_breaks_a_rule_is_told_which() {
        for (bytes, code) in [
            (&[0x82_u8, 0x01, 7][..], [3, 0xEA]),
            (&[0x81, 0x81, 0, 0, 0, 0, b'a'], [3, 0xEB]),
        ] {
            let (mut server, mut client) = server();
            client.write_all(bytes).await.unwrap();
            let error = server.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            let answer = read(&mut client, 4).await;
            assert_eq!((answer[0], &answer[2..]), (0x88, &code[..]));
        }
    }

    #[tokio::test]
    async fn an_end_inside_of_a_frame_is_no_end() {
        let (mut server, mut client) = server();
        client
            .write_all(&[0x82, 0x85, 0, 0, 0, 0, 7])
            .await
            .unwrap();
        drop(client);
        assert_eq!(server.read_u8().await.unwrap(), 7);
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

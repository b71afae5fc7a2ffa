//! Byte streams between two peers, and the addresses they are found at.
//!
//! Floor 0: nothing here knows what travels in the bytes. A transport hands out [`Io`], a reader and
//! a writer; everything above reads frames from the one and writes frames to the other.

mod address;
mod memory;
mod replay;
#[cfg(feature = "stdio")]
mod stdio;
mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(unix)]
mod unix;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Needs to know the wires that hold byte streams, and so comes from above.
pub use crate::client::open;
pub(crate) use address::Address;

/// The reading half of an [`Io`].
pub(crate) type BoxReader = Pin<Box<dyn AsyncRead + Send>>;
/// The writing half of an [`Io`].
pub(crate) type BoxWriter = Pin<Box<dyn AsyncWrite + Send>>;

/// A byte stream in both directions, ready to carry a connection.
///
/// Connecting and listening by URL make one for each connection. Make your own to run a connection
/// over anything that tokio can read from and write to: a serial line, an SSH channel, a stream
/// that a proxy has set up.
pub struct Io {
    reader: BoxReader,
    writer: BoxWriter,
    peer: Arc<str>,
    guard: Option<Guard>,
    extensions: Extensions,
}

impl Io {
    /// Wraps a stream that is read and written through one object.
    ///
    /// The two directions then share a lock; where a stream can be split into independent halves,
    /// [`Io::from_halves`] saves it.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self::from_halves(reader, writer)
    }

    /// Joins a reader and a writer that are two directions of one connection.
    pub fn from_halves(
        reader: impl AsyncRead + Send + 'static,
        writer: impl AsyncWrite + Send + 'static,
    ) -> Self {
        Self {
            reader: Box::pin(reader),
            writer: Box::pin(writer),
            peer: Arc::from("unnamed peer"),
            guard: None,
            extensions: Extensions::new(),
        }
    }

    /// Names the other side, as errors, log lines and handlers will see it.
    #[must_use]
    pub fn with_peer(mut self, peer: impl Into<String>) -> Self {
        self.peer = Arc::from(peer.into());
        self
    }

    /// Keeps `held` for as long as the connection lasts, and drops it then.
    ///
    /// For what the bytes depend on without it being part of the stream: the handle of a child
    /// process, a permit, a temporary directory.
    #[must_use]
    pub fn with_guard(mut self, held: impl Send + Sync + 'static) -> Self {
        // A second guard must not end the first one's life early.
        let earlier = self.guard.take();
        self.guard = Some(Guard {
            _held: Box::new((held, earlier)),
        });
        self
    }

    /// Gives every call that a [server](crate::server::Connections) serves over this stream a value that its
    /// context has as an [extension](crate::Context::extension): what whoever accepted the stream
    /// knows of the other side.
    #[must_use]
    pub fn with_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Returns a value that belongs to the connection.
    #[cfg(feature = "jsonrpc")]
    pub(crate) fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.extensions.get()
    }

    /// Takes the values out that belong to the connection.
    pub(crate) fn take_extensions(&mut self) -> Extensions {
        std::mem::take(&mut self.extensions)
    }

    /// Returns what the certificate of the other side calls it.
    #[cfg(feature = "tls")]
    pub(crate) fn peer_name(&self) -> Option<String> {
        self.extensions.get::<tls::PeerCertificate>()?.name()
    }

    /// Returns the wire that both sides agreed to in the handshake of TLS, if they did.
    #[cfg(feature = "http")]
    pub(crate) fn agreed_protocol(&self) -> Option<&[u8]> {
        #[cfg(feature = "tls")]
        return self
            .extensions
            .get::<tls::AgreedProtocol>()
            .map(|it| &*it.0);
        #[cfg(not(feature = "tls"))]
        None
    }

    /// Gives back what was read already, to be read again first.
    #[cfg_attr(
        not(feature = "tls"),
        allow(dead_code, reason = "only TLS looks ahead")
    )]
    pub(crate) fn unread(mut self, bytes: &[u8]) -> Self {
        self.reader = Box::pin(replay::Replay::new(bytes, self.reader));
        self
    }

    /// Returns the name of the other side, such as `tcp://127.0.0.1:4567`.
    pub fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// Takes the stream apart. The guard must be dropped when the connection has ended, after both halves.
    pub(crate) fn into_parts(self) -> (BoxReader, BoxWriter, Arc<str>, Option<Guard>) {
        (self.reader, self.writer, self.peer, self.guard)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reader.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Io")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What lives exactly as long as a connection.
pub(crate) struct Guard {
    _held: Box<dyn Any + Send + Sync>,
}

/// Opens a connection to `address`.
///
/// The error does not repeat the address: its caller knows which peer, method and phase to name.
///
/// # Cancel safety
///
/// Dropping the future closes whatever it had opened.
pub(crate) async fn connect(address: &Address) -> io::Result<Io> {
    match address {
        Address::Tcp { host, port } => tcp::connect(host, *port).await,
        #[cfg(feature = "tls")]
        Address::Tls { host, port } => {
            let connector = tls::Connector::new(tls::ClientTls::new(), Vec::new());
            let connector = connector.map_err(io::Error::other)?;
            connector
                .connect(tcp::connect(host, *port).await?, host)
                .await
        }
        #[cfg(unix)]
        Address::Unix(path) => unix::connect(path).await,
        Address::Memory(name) => memory::connect(name).await,
        #[cfg(feature = "stdio")]
        Address::Stdio(Some(command)) => stdio::connect(command),
        Address::Stdio(None) if cfg!(feature = "stdio") => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "`stdio:` alone can only be served, to connect name a program: `stdio:program argument …`",
        )),
        #[allow(unreachable_patterns, reason = "every address exists on some build")]
        other => Err(unsupported(other)),
    }
}

/// Waits for connections at one address.
pub(crate) struct Listener {
    kind: Kind,
}

enum Kind {
    Tcp(tcp::Listener),
    #[cfg(feature = "tls")]
    Tls(tcp::Listener),
    #[cfg(unix)]
    Unix(unix::Listener),
    Memory(memory::Listener),
    #[cfg(feature = "stdio")]
    Stdio(stdio::Listener),
}

impl Listener {
    /// Begins to listen at `address`; what it occupies (port, socket file, name) is freed on drop.
    ///
    /// The error does not repeat the address: its caller does.
    pub(crate) async fn bind(address: &Address) -> io::Result<Self> {
        let kind = match address {
            Address::Tcp { host, port } => tcp::Listener::bind(host, *port).await.map(Kind::Tcp),
            #[cfg(feature = "tls")]
            Address::Tls { host, port } => tcp::Listener::bind(host, *port).await.map(Kind::Tls),
            #[cfg(unix)]
            Address::Unix(path) => unix::Listener::bind(path).await.map(Kind::Unix),
            Address::Memory(name) => memory::Listener::bind(name).map(Kind::Memory),
            #[cfg(feature = "stdio")]
            Address::Stdio(None) => stdio::Listener::bind().map(Kind::Stdio),
            Address::Stdio(Some(_)) if cfg!(feature = "stdio") => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a program can only be connected to, to serve on stdin and stdout write `stdio:` alone",
            )),
            #[allow(unreachable_patterns, reason = "every address exists on some build")]
            other => Err(unsupported(other)),
        };
        Ok(Self { kind: kind? })
    }

    /// Says whether its connections come over a network and so can speak TLS.
    pub(crate) fn is_tcp(&self) -> bool {
        match self.kind {
            Kind::Tcp(_) => true,
            #[cfg(feature = "tls")]
            Kind::Tls(_) => true,
            _ => false,
        }
    }

    /// Waits for the next connection. What is accepted at a `tls://` address has yet to speak TLS.
    ///
    /// # Errors
    ///
    /// An error for which [`is_transient`] holds concerns one connection or a passing shortage: go
    /// on after a pause. After any other error the listener is of no more use. One of kind
    /// `UnexpectedEof` is the regular end of a listener that serves one connection (`stdio:`).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    pub(crate) async fn accept(&mut self) -> io::Result<Io> {
        match &mut self.kind {
            Kind::Tcp(listener) => listener.accept().await,
            #[cfg(feature = "tls")]
            Kind::Tls(listener) => listener.accept().await,
            #[cfg(unix)]
            Kind::Unix(listener) => listener.accept().await,
            Kind::Memory(listener) => listener.accept().await,
            #[cfg(feature = "stdio")]
            Kind::Stdio(listener) => listener.accept().await,
        }
    }

    /// Returns the URL that a client connects to; port 0 has become the real port.
    pub(crate) fn url(&self) -> String {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (host, port) = listener.local();
                Address::Tcp { host, port }
            }
            #[cfg(feature = "tls")]
            Kind::Tls(listener) => {
                let (host, port) = listener.local();
                Address::Tls { host, port }
            }
            #[cfg(unix)]
            Kind::Unix(listener) => listener.address(),
            Kind::Memory(listener) => listener.address(),
            #[cfg(feature = "stdio")]
            Kind::Stdio(_) => Address::Stdio(None),
        }
        .to_string()
    }
}

/// Whether a failed `accept` says nothing about the next one.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    // Out of file descriptors, for the process and for the system. Their `ErrorKind` is unstable.
    // The numbers are the same on every Unix; 10024 and 10055 are Windows' own.
    const TOO_MANY_OPEN_FILES: [i32; 3] = [23, 24, 10024];
    // Out of socket buffers, or a half-made connection that went wrong: Linux, BSD and macOS, Windows.
    const NO_BUFFERS_OR_PROTOCOL: [i32; 5] = [105, 71, 55, 100, 10055];

    let by_code = error.raw_os_error().is_some_and(|code| {
        TOO_MANY_OPEN_FILES.contains(&code) || NO_BUFFERS_OR_PROTOCOL.contains(&code)
    });
    by_code
        || matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::OutOfMemory
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                // accept(2): "firewall rules forbid connection".
                | io::ErrorKind::PermissionDenied
        )
}

fn unsupported(address: &Address) -> io::Error {
    let reason = match address {
        Address::Tls { .. } => "`tls://` needs the cargo feature `tls` of rpc-runtime",
        Address::Stdio(_) => "`stdio:` needs the cargo feature `stdio` of rpc-runtime",
        _ => "this system has no Unix domain sockets",
    };
    io::Error::new(io::ErrorKind::Unsupported, reason)
}

/// Says in one line what was tried and why it failed; `source()` still leads to the cause.
fn with_context(message: String, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), ContextError { message, cause })
}

#[derive(Debug)]
struct ContextError {
    message: String,
    cause: io::Error,
}

impl fmt::Display for ContextError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.message, self.cause)
    }
}

impl Error for ContextError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends a line each way and ends the stream each way: what every transport must carry.
    pub(super) async fn assert_duplex(first: Io, second: Io) {
        let (mut first_reader, mut first_writer, _, first_guard) = first.into_parts();
        let (mut second_reader, mut second_writer, _, second_guard) = second.into_parts();
        let mut received = [0; 4];
        first_writer.write_all(b"ping").await.unwrap();
        first_writer.flush().await.unwrap();
        second_reader.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"ping");
        second_writer.write_all(b"pong").await.unwrap();
        second_writer.flush().await.unwrap();
        first_reader.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"pong");
        // Dropping both halves is the end of the stream for the other side.
        drop((first_reader, first_writer, first_guard));
        assert_eq!(second_reader.read(&mut received).await.unwrap(), 0);
        drop((second_writer, second_guard));
    }

    #[tokio::test]
    async fn a_stream_of_the_users_own_is_carried_and_named() {
        let (first, second) = tokio::io::duplex(64);
        let first = Io::new(first).with_peer("serial line 1");
        assert_eq!(&**first.peer(), "serial line 1");
        assert_eq!(format!("{first:?}"), r#"Io { peer: "serial line 1", .. }"#);
        let (reader, writer) = tokio::io::split(second);
        assert_duplex(first, Io::from_halves(reader, writer)).await;
    }

    #[tokio::test]
    async fn guards_live_until_the_connection_ends() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Counted;
        impl Drop for Counted {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::SeqCst);
            }
        }
        let io = Io::new(tokio::io::empty())
            .with_guard(Counted)
            .with_guard(Counted);
        let (reader, writer, _, guard) = io.into_parts();
        drop((reader, writer));
        assert_eq!(DROPPED.load(Ordering::SeqCst), 0);
        drop(guard);
        assert_eq!(DROPPED.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn shortages_and_lost_connections_are_transient_and_a_broken_listener_is_not() {
        for code in [23, 24] {
            assert!(is_transient(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(is_transient(&io::ErrorKind::ConnectionAborted.into()));
        assert!(!is_transient(&io::ErrorKind::InvalidInput.into()));
        assert!(!is_transient(&io::ErrorKind::UnexpectedEof.into()));
        // "Bad file descriptor": the listener is gone.
        assert!(!is_transient(&io::Error::from_raw_os_error(9)));
    }

    #[test]
    fn context_keeps_kind_and_source() {
        let cause = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        let error = with_context("127.0.0.1:1".into(), cause);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(error.to_string(), "127.0.0.1:1: refused");
        assert_eq!(error.source().unwrap().to_string(), "refused");
    }
}

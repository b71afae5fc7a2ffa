//! A peer that speaks frames by hand, as `docs/wire.md` says them, and so can break every rule.

use std::future::IntoFuture;
use std::time::Duration;

use rpc_runtime::Channel;
use rpc_runtime::client::Connect;
use rpc_runtime::transport::{self, Io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::serving::address;
use crate::websocket;

/// Types of frames.
#[allow(missing_docs, reason = "the names are those of the specification")]
pub mod kind {
    pub const SETTINGS: u8 = 0x01;
    pub const REQUEST: u8 = 0x02;
    pub const RESPONSE: u8 = 0x03;
    pub const MESSAGE: u8 = 0x04;
    pub const END: u8 = 0x05;
    pub const ERROR: u8 = 0x06;
    pub const CANCEL: u8 = 0x07;
    pub const CREDIT: u8 = 0x08;
    pub const PING: u8 = 0x09;
    pub const GO_AWAY: u8 = 0x0A;
}

/// Flags of frames.
#[allow(missing_docs, reason = "the names are those of the specification")]
pub mod flag {
    pub const END: u8 = 0x01;
    pub const MORE: u8 = 0x02;
    pub const BODY: u8 = 0x04;
    pub const NOT_STARTED: u8 = 0x08;
    pub const ACK: u8 = 0x10;
}

/// Types of fields.
#[allow(missing_docs, reason = "the names are those of the specification")]
pub mod field {
    pub const METHOD: u8 = 0x01;
    pub const METHOD_NUMBER: u8 = 0x02;
    pub const TIMEOUT: u8 = 0x03;
    pub const METADATA: u8 = 0x06;
    pub const CODE: u8 = 0x07;
    pub const TEXT: u8 = 0x08;
    pub const LAST_CALL: u8 = 0x0A;
    pub const ATTEMPT: u8 = 0x8C;
    pub const MAX_MESSAGE: u8 = 0x11;
    pub const STREAM_WINDOW: u8 = 0x13;
    pub const MAX_CALLS: u8 = 0x14;
}

const PREFACE: [u8; 8] = [0xD3, b'R', b'P', b'C', 0x0D, 0x0A, 0x1A, 1];

/// No answer takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the parts of a frame")]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub call: u64,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns the fields; in a block, the message behind them as well.
    pub fn fields(&self) -> Vec<(u8, Vec<u8>)> {
        let mut rest = &self.payload[..];
        if matches!(self.kind, kind::REQUEST | kind::RESPONSE) {
            let length = usize::try_from(take_varint(&mut rest)).expect("a short block");
            rest = &rest[..length];
        }
        let mut fields = Vec::new();
        while let Some((kind, value)) = rest.split_first() {
            rest = value;
            let length = usize::try_from(take_varint(&mut rest)).expect("a short field");
            let (value, others) = rest.split_at(length);
            fields.push((*kind, value.to_vec()));
            rest = others;
        }
        fields
    }

    /// Returns the first field of this type.
    pub fn field(&self, kind: u8) -> Option<Vec<u8>> {
        let found = self.fields().into_iter().find(|(it, _)| *it == kind);
        found.map(|(_, value)| value)
    }

    /// Returns the first field of this type as a number.
    pub fn number(&self, kind: u8) -> Option<u64> {
        self.field(kind).map(|value| take_varint(&mut &value[..]))
    }

    /// Returns the text of an error.
    pub fn text(&self) -> String {
        String::from_utf8(self.field(field::TEXT).unwrap_or_default()).expect("text is UTF-8")
    }

    /// Returns the message of a block, or of a MESSAGE.
    pub fn message(&self) -> &[u8] {
        let mut rest = &self.payload[..];
        if matches!(self.kind, kind::REQUEST | kind::RESPONSE) {
            let length = usize::try_from(take_varint(&mut rest)).expect("a short block");
            rest = &rest[length..];
        }
        rest
    }
}

/// Writes a number.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Writes a field.
pub fn field_of(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &varint(value.len() as u64), value].concat()
}

/// Writes a block of fields and the message behind it.
pub fn block(fields: &[u8], message: &[u8]) -> Vec<u8> {
    [&varint(fields.len() as u64)[..], fields, message].concat()
}

/// Writes the fields of a request for this method.
pub fn method(path: &str) -> Vec<u8> {
    field_of(field::METHOD, path.as_bytes())
}

/// Writes a frame.
pub fn frame(kind: u8, flags: u8, call: u64, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame's length is 32 bits");
    let header = [
        &length.to_le_bytes()[..],
        &[kind, flags, 0, 0],
        &call.to_le_bytes(),
    ]
    .concat();
    [header, payload.to_vec()].concat()
}

/// A peer that sends what it is told to.
pub struct RawPeer(Box<dyn Stream>);

impl RawPeer {
    /// Speaks over this byte stream.
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// Opens a connection and says nothing.
    pub async fn connect(url: &str) -> Self {
        let io = transport::open(url).await.expect("the server listens");
        Self(Box::new(io))
    }

    /// Opens a connection, and exchanges prefaces and settings.
    pub async fn introduced(url: &str) -> Self {
        let mut peer = Self::connect(url).await;
        peer.introduce(&[]).await;
        peer
    }

    /// Exchanges prefaces and settings, whichever side this is.
    pub async fn introduce(&mut self, settings: &[u8]) {
        let hello = [&PREFACE[..], &frame(kind::SETTINGS, 0, 0, settings)].concat();
        self.bytes(&hello).await;
        let mut preface = [0; 8];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut preface)).await;
        read.expect("a preface comes in time")
            .expect("a preface comes");
        assert_eq!(preface, PREFACE);
        assert_eq!(self.next().await.kind, kind::SETTINGS);
    }

    /// Writes bytes as they are.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        self.try_bytes(bytes).await.expect("the peer reads");
    }

    /// Writes bytes as they are, to a peer that may have gone.
    ///
    /// # Errors
    ///
    /// What the byte stream says, and `TimedOut` if the peer does not read.
    pub async fn try_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let written = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        let written = tokio::time::timeout(PATIENCE, written).await;
        written.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    /// Sends one frame.
    pub async fn send(&mut self, kind: u8, flags: u8, call: u64, payload: &[u8]) {
        self.bytes(&frame(kind, flags, call, payload)).await;
    }

    /// Sends a whole request.
    pub async fn request(&mut self, call: u64, path: &str, message: &[u8]) {
        let payload = block(&method(path), message);
        self.send(kind::REQUEST, flag::BODY | flag::END, call, &payload)
            .await;
    }

    /// Sends a whole reply.
    pub async fn reply(&mut self, call: u64, message: &[u8]) {
        let payload = block(&[], message);
        self.send(kind::RESPONSE, flag::BODY | flag::END, call, &payload)
            .await;
    }

    /// Reads the next frame; `None` at the end of the connection.
    pub async fn try_next(&mut self) -> Option<Frame> {
        let read = tokio::time::timeout(PATIENCE, read_frame(&mut *self.0)).await;
        read.expect("a frame or the end comes in time")
    }

    /// Reads the next frame.
    pub async fn next(&mut self) -> Frame {
        self.try_next().await.expect("the connection is open")
    }

    /// Reads up to the next frame of this type.
    pub async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads up to the next frame of this call.
    pub async fn next_for(&mut self, call: u64) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.call == call {
                return frame;
            }
        }
    }

    /// Makes sure that the other side has handled everything that was sent up to now.
    pub async fn settle(&mut self) {
        self.send(kind::PING, 0, 0, b"settled?").await;
        let pong = self.next_of(kind::PING).await;
        assert_eq!(
            (pong.flags, &pong.payload[..]),
            (flag::ACK, &b"settled?"[..])
        );
    }

    /// Reads everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.try_next().await {
            frames.push(frame);
        }
        frames
    }
}

impl std::fmt::Debug for RawPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawPeer")
    }
}

async fn read_frame(stream: &mut dyn Stream) -> Option<Frame> {
    let mut header = [0; 16];
    stream.read_exact(&mut header).await.ok()?;
    let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes"));
    let mut payload = vec![0; usize::try_from(length).expect("32 bits fit")];
    stream.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind: header[4],
        flags: header[5],
        call: u64::from_le_bytes(header[8..].try_into().expect("eight bytes")),
        payload,
    })
}

/// A server that answers by hand. In memory it is one connection.
#[derive(Debug)]
pub struct RawServer(Listening);

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, String),
    WebSocket(TcpListener),
    Memory,
}

impl RawServer {
    /// Begins to listen.
    pub async fn listen(transport: &str) -> Self {
        Self(match transport {
            "tcp" => Listening::Tcp(free_port().await),
            "ws" => Listening::WebSocket(free_port().await),
            "unix" => {
                let url = address(transport);
                let path = url.trim_start_matches("unix://");
                Listening::Unix(UnixListener::bind(path).expect("a free path"), url)
            }
            _ => Listening::Memory,
        })
    }

    /// Returns the URL of a server that has one.
    pub fn url(&self) -> Option<String> {
        match &self.0 {
            Listening::Tcp(listener) => {
                let address = listener.local_addr().expect("it is bound");
                Some(format!("tcp://{address}"))
            }
            Listening::WebSocket(listener) => {
                let address = listener.local_addr().expect("it is bound");
                Some(format!("ws://{address}"))
            }
            Listening::Unix(_, url) => Some(url.clone()),
            Listening::Memory => None,
        }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> RawPeer {
        let accepted = tokio::time::timeout(PATIENCE, async {
            match &self.0 {
                Listening::Tcp(listener) => {
                    RawPeer(Box::new(listener.accept().await.expect("accepts").0))
                }
                Listening::Unix(listener, _) => {
                    RawPeer(Box::new(listener.accept().await.expect("accepts").0))
                }
                Listening::WebSocket(listener) => {
                    let (stream, _) = listener.accept().await.expect("accepts");
                    RawPeer(Box::new(websocket::accept(stream).await))
                }
                Listening::Memory => panic!("a raw server in memory has one connection"),
            }
        });
        accepted.await.expect("a client connects in time")
    }

    /// Accepts what connects, and introduces the server with these settings meanwhile: a client is
    /// connected only then.
    pub async fn connected<T: 'static>(
        &self,
        connect: Connect<T>,
        settings: &[u8],
    ) -> (T, RawPeer) {
        let (connected, peer) = tokio::join!(connect.into_future(), async {
            let mut peer = self.accept().await;
            peer.introduce(settings).await;
            peer
        });
        (connected.expect("the server listens"), peer)
    }

    /// Connects a channel, and introduces the server with these settings.
    pub async fn channel(&self, settings: &[u8]) -> (Channel, RawPeer) {
        let (channel, mut peer) = match self.url() {
            Some(url) => self.connected(Channel::connect(url), settings).await,
            None => {
                let (client, server) = tokio::io::duplex(64 << 10);
                let channel = Channel::over(Io::new(client).with_peer("mem:raw"));
                let mut peer = RawPeer::over(server);
                peer.introduce(settings).await;
                (channel, peer)
            }
        };
        // From here on the client knows the settings.
        peer.settle().await;
        (channel, peer)
    }
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

impl Drop for RawServer {
    fn drop(&mut self) {
        if let Listening::Unix(_, url) = &self.0 {
            let _ = std::fs::remove_file(url.trim_start_matches("unix://"));
        }
    }
}

/// Connects a channel to a server that answers by hand.
pub async fn raw_server(transport: &str) -> (Channel, RawPeer) {
    RawServer::listen(transport).await.channel(&[]).await
}

//! The native wire by hand, from `docs/wire.md`: a peer that may send anything.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) const SETTINGS: u8 = 0x01;
pub(crate) const REQUEST: u8 = 0x02;
pub(crate) const RESPONSE: u8 = 0x03;
pub(crate) const MESSAGE: u8 = 0x04;
pub(crate) const END_FRAME: u8 = 0x05;
pub(crate) const ERROR: u8 = 0x06;
pub(crate) const CANCEL: u8 = 0x07;
pub(crate) const CREDIT: u8 = 0x08;
pub(crate) const PING: u8 = 0x09;
pub(crate) const GO_AWAY: u8 = 0x0A;

pub(crate) const END: u8 = 0x01;
pub(crate) const MORE: u8 = 0x02;
pub(crate) const BODY: u8 = 0x04;
pub(crate) const NOT_STARTED: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

const METHOD: u8 = 0x01;
pub(crate) const METHOD_NUMBER: u8 = 0x02;
pub(crate) const TIMEOUT: u8 = 0x03;
const ENCODING: u8 = 0x04;
pub(crate) const METADATA: u8 = 0x06;
pub(crate) const CODE: u8 = 0x07;
pub(crate) const TEXT: u8 = 0x08;

pub(crate) const PREFACE: [u8; 8] = *b"\xD3RPC\r\n\x1A\x01";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes.get_u8();
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// A header whose length need not be true.
pub(crate) fn header(length: u32, kind: u8, flags: u8, call: u64) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend([kind, flags, 0, 0]);
    bytes.extend(call.to_le_bytes());
    bytes
}

pub(crate) fn frame(kind: u8, flags: u8, call: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(payload.len() as u32, kind, flags, call);
    bytes.extend(payload);
    bytes
}

pub(crate) fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

pub(crate) fn metadata(name: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = varint(name.len() as u64);
    entry.extend(name.as_bytes());
    entry.extend(value);
    field(METADATA, &entry)
}

/// A block of fields with a message behind it: the payload of REQUEST and RESPONSE.
pub(crate) fn block(fields: &[u8], message: &[u8]) -> Vec<u8> {
    let mut bytes = varint(fields.len() as u64);
    bytes.extend(fields);
    bytes.extend(message);
    bytes
}

/// What a REQUEST is made of.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub call: u64,
    pub method: &'a str,
    pub flags: u8,
    pub fields: &'a [u8],
    /// 1 is MessagePack, 2 JSON.
    pub encoding: u8,
    pub message: &'a [u8],
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            call: 1,
            method: "test.v1.Math/add",
            flags: BODY | END,
            fields: &[],
            encoding: 1,
            message: &[0x92, 2, 3],
        }
    }
}

impl Request<'_> {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut fields = field(METHOD, self.method.as_bytes());
        fields.extend(field(ENCODING, &[self.encoding]));
        fields.extend(self.fields);
        frame(
            REQUEST,
            self.flags,
            self.call,
            &block(&fields, self.message),
        )
    }
}

/// SETTINGS without fields: what is usual if absent.
pub(crate) fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

/// SETTINGS that take anything and grant much.
pub(crate) fn generous_settings() -> Vec<u8> {
    let mut fields = field(0x11, &varint(1 << 30));
    fields.extend(field(0x13, &varint(u64::from(u32::MAX))));
    frame(SETTINGS, 0, 0, &fields)
}

/// A frame that came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub call: u64,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The value of the first field of this type.
    pub(crate) fn field(&self, kind: u8) -> Option<&[u8]> {
        let mut rest = &self.payload[..];
        if [REQUEST, RESPONSE].contains(&self.kind) {
            let length = read_varint(&mut rest) as usize;
            rest = &rest[..length];
        }
        while !rest.is_empty() {
            let found = rest.get_u8();
            let length = read_varint(&mut rest) as usize;
            let (value, behind) = rest.split_at(length);
            if found == kind {
                return Some(value);
            }
            rest = behind;
        }
        None
    }

    pub(crate) fn code(&self) -> u64 {
        self.field(CODE).map_or(0, |mut it| read_varint(&mut it))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.field(TEXT).unwrap_or_default().to_vec()).unwrap()
    }

    pub(crate) fn is(&self, kind: u8, call: u64) -> bool {
        self.kind == kind && self.call == call
    }
}

/// One side of a connection that does what it likes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
}

impl Raw {
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Connects, and says nothing.
    pub(crate) async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("tcp://").expect("a tcp address");
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// Connects and greets as a good peer does.
    pub(crate) async fn greet(url: &str) -> Self {
        let mut raw = Self::connect(url).await;
        raw.send(&PREFACE).await;
        raw.send(&generous_settings()).await;
        raw.expect_greeting().await;
        raw
    }

    /// Accepts a client and reads its greeting, without an answer.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let mut raw = Self::over(stream);
        raw.expect_greeting().await;
        raw
    }

    pub(crate) async fn expect_greeting(&mut self) {
        let mut preface = [0; 8];
        while self.buffer.len() < preface.len() {
            assert!(
                self.read().await,
                "the connection ended before the greeting"
            );
        }
        self.buffer.copy_to_slice(&mut preface);
        assert_eq!(preface, PREFACE);
        let settings = self.next().await.expect("SETTINGS");
        assert_eq!(settings.kind, SETTINGS);
    }

    /// Sends; that the other side has closed meanwhile is no mistake of the test.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.expect("the other side has been silent for too long");
        matches!(read, Ok(1..))
    }

    /// The next frame; `None` at the end of the connection, however it ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.buffered() {
                return Some(frame);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next frame, if it is here already.
    pub(crate) fn try_next(&mut self) -> Option<Frame> {
        while let Ok(1..) = self.stream.try_read_buf(&mut self.buffer) {}
        self.buffered()
    }

    fn buffered(&mut self) -> Option<Frame> {
        let header = self.buffer.get(..16)?;
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let (kind, flags) = (header[4], header[5]);
        let call = u64::from_le_bytes(header[8..].try_into().unwrap());
        if self.buffer.len() < 16 + length {
            return None;
        }
        self.buffer.advance(16);
        let payload = self.buffer.split_to(length).to_vec();
        Some(Frame {
            kind,
            flags,
            call,
            payload,
        })
    }

    /// The next frame of this type and call; those before it are dropped.
    pub(crate) async fn until(&mut self, kind: u8, call: u64) -> Frame {
        while let Some(frame) = self.next().await {
            if frame.is(kind, call) {
                return frame;
            }
        }
        panic!("the connection ended before frame {kind:#x} of call {call}");
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Checks that this connection still serves: a PING and a call are answered.
    pub(crate) async fn expect_alive(&mut self, call: u64) {
        self.send(&frame(PING, 0, 0, b"12345678")).await;
        let request = Request {
            call,
            ..Request::default()
        };
        self.send(&request.bytes()).await;
        let pong = self.until(PING, 0).await;
        assert_eq!((pong.flags, &pong.payload[..]), (ACK, &b"12345678"[..]));
        let reply = self.until(RESPONSE, call).await;
        assert_eq!(reply.payload.last(), Some(&5));
    }

    /// Reads to the end, which must be a GO_AWAY that says this.
    pub(crate) async fn expect_go_away(&mut self, text: &str) {
        let frames = self.rest().await;
        let last = frames.last().expect("a GO_AWAY");
        assert_eq!(last.kind, GO_AWAY, "{last:?}");
        assert!(last.text().contains(text), "{}", last.text());
    }
}

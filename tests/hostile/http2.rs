//! HTTP/2 by hand, from RFC 9113 and RFC 7541: a peer that may send anything.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A header whose length need not be true.
pub(crate) fn header(length: usize, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat()
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [header(payload.len(), kind, flags, stream), payload.to_vec()].concat()
}

pub(crate) fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let entries = entries.iter();
    let payload: Vec<u8> = entries
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

pub(crate) fn rst(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(
        GOAWAY,
        0,
        0,
        &[last.to_be_bytes(), code.to_be_bytes()].concat(),
    )
}

pub(crate) fn window_update(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// A list of headers as literals that nobody keeps (RFC 7541, section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A number in seven bits or more (RFC 7541, section 5.1).
fn length(number: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = number.checked_sub(127) else {
        return block.push(number as u8);
    };
    block.push(127);
    while rest >= 128 {
        block.push(rest as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// Names the method of a call of gRPC.
pub(crate) const fn head(path: &'static str) -> [(&'static str, &'static str); 5] {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc+json"),
    ]
}

/// HEADERS that are whole, and more to come or not.
pub(crate) fn headers(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// A message of gRPC.
pub(crate) fn message(bytes: &[u8]) -> Vec<u8> {
    prefixed(0, bytes.len(), bytes)
}

/// A message of gRPC whose length need not be true.
pub(crate) fn prefixed(flag: u8, length: usize, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[flag], &length[..], bytes].concat()
}

/// A frame that came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The four bytes at a place, as the number they are in RST_STREAM, GOAWAY and WINDOW_UPDATE.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let bytes = self
            .payload
            .get(at..at + 4)
            .expect("the frame is long enough");
        u32::from_be_bytes(bytes.try_into().unwrap())
    }

    /// Says whether nothing more of its stream follows.
    pub(crate) fn ends(&self) -> bool {
        [DATA, HEADERS].contains(&self.kind) && self.flags & END_STREAM != 0
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
        let address = url.split_once("://").expect("a URL").1;
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// Connects and greets as a good client does.
    pub(crate) async fn greet(url: &str, entries: &[(u16, u32)]) -> Self {
        let mut raw = Self::connect(url).await;
        raw.send(&[PREFACE, &settings(entries)].concat()).await;
        raw
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

    /// Reads the preface of a client. False if the connection ends before.
    pub(crate) async fn expect_preface(&mut self) -> bool {
        while self.buffer.len() < PREFACE.len() {
            if !self.read().await {
                return false;
            }
        }
        assert_eq!(self.buffer.split_to(PREFACE.len()), PREFACE);
        true
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

    fn buffered(&mut self) -> Option<Frame> {
        let mut header = self.buffer.get(..9)?;
        let length = header.get_uint(3) as usize;
        let (kind, flags, stream) = (header.get_u8(), header.get_u8(), header.get_u32());
        if self.buffer.len() < 9 + length {
            return None;
        }
        self.buffer.advance(9);
        let payload = self.buffer.split_to(length).to_vec();
        Some(Frame {
            kind,
            flags,
            stream,
            payload,
        })
    }
}

//! A client of HTTP/1.1 that sends what it is told to.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, up to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The headers; those behind a body are not read.
    pub headers: HeaderMap,
    /// The body, without its chunks.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns a header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |it| it.to_str().expect("plain text"))
    }

    /// Returns the body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Returns the envelopes that the body consists of: flags and contents.
    pub fn envelopes(&self) -> Vec<(u8, Vec<u8>)> {
        envelopes(&self.body)
    }
}

/// Puts a message into an envelope.
pub fn envelope(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("it is short");
    [&[flag][..], &length.to_be_bytes(), message].concat()
}

/// Takes a body apart that consists of envelopes.
pub fn envelopes(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let (message, behind) = rest.split_at(usize::try_from(length).expect("it is short"));
        found.push((*flag, message.to_vec()));
        bytes = behind;
    }
    assert_eq!(bytes, b"", "a cut envelope");
    found
}

/// Sends a request to the server at this URL, on a connection of its own.
pub async fn send(
    url: &str,
    verb: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let address = url.split_once("://").expect("a URL").1;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let mut head = format!("{verb} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += "host: localhost\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    let request = [head.as_bytes(), body].concat();
    stream.write_all(&request).await.expect("it reads");
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes in time");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.expect("a whole head") + 4);
    let head = std::str::from_utf8(head).expect("text");
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().expect("a status line").split(' ').nth(1);
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            let name = HeaderName::try_from(name).expect("a name");
            (name, HeaderValue::try_from(value).expect("a value"))
        })
        .collect();
    let is_chunked = headers.contains_key("transfer-encoding");
    Answer {
        status: status.and_then(|it| it.parse().ok()).expect("a status"),
        headers,
        body: if is_chunked {
            unchunked(body)
        } else {
            body.to_vec()
        },
    }
}

/// Takes the chunks of a body apart, which must have their end.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|it| it == b"\r\n");
        let (length, rest) = bytes.split_at(end.expect("a chunk or the end"));
        let length = std::str::from_utf8(length).expect("a length");
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            return body;
        }
        let (chunk, rest) = rest[2..].split_at(length);
        body.extend_from_slice(chunk);
        bytes = &rest[2..];
    }
}

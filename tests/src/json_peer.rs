//! A peer that speaks JSON by hand over each wire that carries it, and so can say what it likes.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rpc_runtime::client::Connect;
use rpc_runtime::{Channel, Code};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::websocket;

/// No answer takes longer than this, on the slowest machine that runs the tests; some are to batches of
/// thousands.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much a client takes in that does not read, so that a server has soon filled it.
const RECEIVED: u32 = 32 << 10;

/// The length of a frame's payload takes up to so many bytes more.
const LONG: u8 = 126;
const LONGEST: u8 = 127;

/// How texts follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `jsonrpc+tcp` and `knsock`: each on a line.
    Lines,
    /// `lpjson`: each behind its length.
    Lengths,
    /// `jsonrpc+ws`: each in a message of a WebSocket, as a client sends it.
    Messages,
}

impl Framing {
    /// Returns what the URL's scheme stands for.
    pub fn of(scheme: &str) -> Self {
        match scheme {
            "jsonrpc+tcp" | "knsock" => Self::Lines,
            "lpjson" => Self::Lengths,
            "jsonrpc+ws" => Self::Messages,
            other => panic!("`{other}` carries no JSON here"),
        }
    }

    /// Puts a text into its frame.
    pub fn frame(self, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("a text of a test");
        let head = match self {
            Self::Lines => return [text, b"\n"].concat(),
            Self::Lengths => length.to_be_bytes().to_vec(),
            // Masked, with a key that changes nothing.
            Self::Messages => [&message_head(length, 0x80)[..], &[0; 4]].concat(),
        };
        [&head, text].concat()
    }
}

/// The bytes before a text message of one frame (RFC 6455, section 5.2).
fn message_head(length: u32, mask: u8) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..LONG), _) => vec![0x81, mask | short],
        (_, Ok(long)) => [&[0x81, mask | LONG][..], &long.to_be_bytes()].concat(),
        _ => [
            &[0x81, mask | LONGEST][..],
            &u64::from(length).to_be_bytes(),
        ]
        .concat(),
    }
}

/// Writes a call that is one in JSON-RPC and in the length-prefixed dialect.
pub fn call(id: u64, method: &str, params: impl serde::Serialize) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// Writes an answer that is one in both, too.
pub fn answer(id: &Value, result: impl serde::Serialize) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "ok": true, "result": result})
}

/// Returns the code of an answer that is an error, in either.
pub fn code(answer: &Value) -> Code {
    let error = &answer["error"];
    match (error["code"].as_i64(), error["details"]["code"].as_str()) {
        (Some(-32700 | -32600 | -32602), _) => Code::InvalidArgument,
        (Some(-32601), _) => Code::Unimplemented,
        (Some(-32603), _) => Code::Internal,
        (Some(number), _) => Code::from_number(u8::try_from(-32000 - number).unwrap_or(0)),
        (None, Some(name)) => {
            let mut codes = (1..=16).map(Code::from_number);
            codes.find(|it| it.name() == name).expect("a name of ours")
        }
        (None, None) => panic!("{answer} is no error"),
    }
}

/// Returns what an answer that is an error says.
pub fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().expect("an error")
}

/// A connection whose texts are written and read by hand.
#[derive(Debug)]
pub struct JsonPeer {
    stream: TcpStream,
    framing: Framing,
    received: BytesMut,
    /// So much of it has no line end.
    searched: usize,
    is_client: bool,
}

impl JsonPeer {
    /// Connects to a server.
    pub async fn connect(url: &str) -> Self {
        let (scheme, address) = url.split_once("://").expect("a URL");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(RECEIVED).expect("a size");
        let address = address.parse().expect("an address");
        let stream = socket.connect(address).await;
        let mut peer = Self {
            stream: stream.expect("the server listens"),
            framing: Framing::of(scheme),
            received: BytesMut::new(),
            searched: 0,
            is_client: true,
        };
        if peer.framing == Framing::Messages {
            peer.shake_hands().await;
        }
        peer
    }

    async fn shake_hands(&mut self) {
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
            connection: upgrade\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.bytes(request.as_bytes()).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(self.stream.read_u8().await.expect("the server answers"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "it is accepted");
    }

    /// Returns how texts are framed here.
    pub fn framing(&self) -> Framing {
        self.framing
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
    pub async fn try_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends one text.
    pub async fn text(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let mut framed = self.framing.frame(text);
        if !self.is_client && self.framing == Framing::Messages {
            let length = u32::try_from(text.len()).expect("a text of a test");
            framed = [&message_head(length, 0), text].concat();
        }
        self.bytes(&framed).await;
    }

    /// Sends one value.
    pub async fn send(&mut self, value: &Value) {
        self.text(value.to_string()).await;
    }

    /// Sends a call, and returns its answer: the next text that comes.
    pub async fn call(&mut self, id: u64, method: &str, params: impl serde::Serialize) -> Value {
        self.send(&call(id, method, params)).await;
        self.next().await
    }

    /// Reads the next text; `None` at the end of the connection.
    pub async fn try_next(&mut self) -> Option<Value> {
        let read = tokio::time::timeout(PATIENCE, self.read_text()).await;
        let text = read.expect("a text or the end comes in time")?;
        Some(serde_json::from_slice(&text).expect("a text is JSON"))
    }

    /// Reads the next text.
    pub async fn next(&mut self) -> Value {
        self.try_next().await.expect("the connection is open")
    }

    /// Reads everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut texts = Vec::new();
        while let Some(text) = self.try_next().await {
            texts.push(text);
        }
        texts
    }

    async fn read_text(&mut self) -> Option<BytesMut> {
        loop {
            let text = match self.framing {
                Framing::Lines => self.take_line(),
                Framing::Lengths => self.take_frame(4, |head| {
                    u32::from_be_bytes(head.try_into().expect("four bytes")).into()
                }),
                Framing::Messages => self.take_message()?,
            };
            if let Some(text) = text {
                return Some(text);
            }
            // A reset is an end as well: what was sent in vain may have brought it on.
            let read = self.stream.read_buf(&mut self.received).await;
            read.ok().filter(|it| *it > 0)?;
        }
    }

    fn take_line(&mut self) -> Option<BytesMut> {
        while let Some(end) =
            (self.searched..self.received.len()).find(|it| self.received[*it] == b'\n')
        {
            let line = self.received.split_to(end);
            self.received.advance(1);
            self.searched = 0;
            // What is there to see whether this side is still here.
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        self.searched = self.received.len();
        None
    }

    fn take_frame(&mut self, head: usize, length: impl Fn(&[u8]) -> u64) -> Option<BytesMut> {
        let length = usize::try_from(length(self.received.get(..head)?)).expect("a length");
        (self.received.len() >= head + length).then(|| {
            self.received.advance(head);
            self.received.split_to(length)
        })
    }

    /// Takes the next text message; the outer `None` is a close frame.
    fn take_message(&mut self) -> Option<Option<BytesMut>> {
        let mask = if self.is_client { 0 } else { 4 };
        loop {
            let [kind, short, ..] = self.received[..] else {
                return Some(None);
            };
            let wide = match short & 0x7F {
                LONG => 2,
                LONGEST => 8,
                _ => 0,
            };
            let Some(head) = self.received.get(..2 + wide + mask) else {
                return Some(None);
            };
            let (number, key) = head[2..].split_at(wide);
            let length = match number {
                [] => u64::from(short & 0x7F),
                _ => number.iter().fold(0, |it, byte| it << 8 | u64::from(*byte)),
            };
            let key = key.to_vec();
            let Some(mut text) = self.take_frame(2 + wide + mask, |_| length) else {
                return Some(None);
            };
            let keys = key.iter().cycle();
            text.iter_mut().zip(keys).for_each(|(it, key)| *it ^= key);
            match kind {
                0x81 => return Some(Some(text)),
                0x88 => return None,
                _ => {}
            }
        }
    }
}

/// A server that answers by hand.
#[derive(Debug)]
pub struct JsonServer {
    listener: TcpListener,
    scheme: &'static str,
}

impl JsonServer {
    /// Begins to listen.
    pub async fn listen(scheme: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        Self { listener, scheme }
    }

    /// Returns where to connect to.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr().expect("it is bound");
        format!("{}://{address}", self.scheme)
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> JsonPeer {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await;
        let accepted = accepted.expect("a client connects in time");
        let (mut stream, _) = accepted.expect("accepts");
        let framing = Framing::of(self.scheme);
        if framing == Framing::Messages {
            websocket::shake_hands(&mut stream).await;
        }
        JsonPeer {
            stream,
            framing,
            received: BytesMut::new(),
            searched: 0,
            is_client: false,
        }
    }

    /// Connects a client.
    pub async fn connected(&self, connect: Connect<Channel>) -> (Channel, JsonPeer) {
        let (channel, peer) = tokio::join!(connect.into_future(), self.accept());
        (channel.expect("the server listens"), peer)
    }

    /// Connects a client with the usual settings.
    pub async fn channel(&self) -> (Channel, JsonPeer) {
        self.connected(Channel::connect(self.url())).await
    }
}

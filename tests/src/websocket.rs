//! A server's side of WebSocket (RFC 6455) by hand, as little as a client needs that breaks no rule.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Answers the handshake of a client, and returns what travels in the messages.
pub(crate) async fn accept(mut stream: TcpStream) -> DuplexStream {
    shake_hands(&mut stream).await;
    let (ours, inside) = duplex(16 << 10);
    let (from_client, to_client) = stream.into_split();
    let (from_peer, to_peer) = split(inside);
    tokio::spawn(unwrap(from_client, to_peer));
    tokio::spawn(wrap(from_peer, to_client));
    ours
}

/// Answers the handshake of a client, with the subprotocol that it names, if any.
pub(crate) async fn shake_hands(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.expect("the client asks"));
    }
    let request = String::from_utf8(request).expect("a request is text");
    let header = |name| {
        let lines = request.lines().filter_map(|it| it.split_once(": "));
        let mut found = lines.filter(|(it, _)| it.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    };
    let suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let key = header("Sec-WebSocket-Key").expect("a client has one");
    let key = STANDARD.encode(Sha1::digest(format!("{key}{suffix}")));
    let subprotocol = match header("Sec-WebSocket-Protocol") {
        Some(name) => format!("sec-websocket-protocol: {name}\r\n"),
        None => String::new(),
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {key}\r\n{subprotocol}\r\n"
    );
    stream
        .write_all(answer.as_bytes())
        .await
        .expect("the client listens");
}

/// Takes payloads out of masked frames, up to a close frame.
async fn unwrap(mut from: OwnedReadHalf, mut to: WriteHalf<DuplexStream>) -> std::io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let length = match from.read_u8().await? & 0x7F {
            126 => u64::from(from.read_u16().await?),
            127 => from.read_u64().await?,
            short => u64::from(short),
        };
        let key = from.read_u32().await?.to_be_bytes();
        let mut payload = vec![0; usize::try_from(length).expect("it fits")];
        from.read_exact(&mut payload).await?;
        let keys = key.into_iter().cycle();
        payload
            .iter_mut()
            .zip(keys)
            .for_each(|(it, key)| *it ^= key);
        match kind {
            0x82 => to.write_all(&payload).await?,
            _ => return to.shutdown().await,
        }
    }
}

/// Puts what comes into frames, and ends without a close frame when the peer does.
async fn wrap(mut from: ReadHalf<DuplexStream>, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&[0x82, 127]).await?;
        to.write_u64(read as u64).await?;
        to.write_all(&bytes[..read]).await?;
    }
}

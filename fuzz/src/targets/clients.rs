//! Whole conversations with a client, which calls in all four patterns: a server sends the bytes. Whatever they
//! are, calls end by their deadline, nothing panics, and nothing is left.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use rpc_runtime::transport::Io;
use rpc_runtime::{Channel, RpcClient};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::peers::{LONG, limits, run};
use super::service::{FuzzedClient, Shape};

/// What URLs of servers of JSON begin with, by the first byte of an input.
pub(crate) const JSON: &[&str] = &["jsonrpc+tcp", "knsock", "lpjson"];

/// The same over HTTP.
pub(crate) const HTTP: &[&str] = &[
    "grpc",
    "grpc-web+http",
    "grpc-web+http1",
    "connect+http",
    "connect+http1",
    "jsonrpc+http",
];

/// The same in WebSocket.
pub(crate) const WEBSOCKET: &[&str] = &["ws", "jsonrpc+ws"];

/// Added to the first byte for a server that closes behind its answer.
const CLOSES: u8 = 128;

thread_local! {
    // Apart from that of the others, which need no sockets and are faster without.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
}

/// A server of the native wire.
pub(crate) fn native_client(bytes: &[u8]) {
    let conversation = async move {
        let bytes = bytes.to_vec();
        let connect = Channel::connect_with("fuzz", move || {
            let bytes = bytes.clone();
            let (here, there) = tokio::io::duplex(1 << 16);
            tokio::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(there);
                let _ = writer.write_all(&bytes).await;
                let mut sink = [0; 1024];
                // A silent server is left after a while.
                while let Ok(Ok(1..)) = timeout(LONG, reader.read(&mut sink)).await {}
            });
            async move { Ok(Io::new(here)) }
        });
        if let Ok(channel) = connect.limits(limits()).await {
            call(channel).await;
        }
    };
    RUNTIME.with(|runtime| run(runtime, conversation));
}

/// Servers of JSON, on lines and behind its length.
pub(crate) fn json_client(bytes: &[u8]) {
    answered(bytes, JSON);
}

/// Servers of gRPC, gRPC-Web, Connect and JSON-RPC, over both versions of HTTP.
pub(crate) fn http_client(bytes: &[u8]) {
    answered(bytes, HTTP);
}

/// What comes behind the handshake of a WebSocket.
pub(crate) fn websocket_client(bytes: &[u8]) {
    answered(bytes, WEBSOCKET);
}

/// The first byte chooses among the schemes, and what the server does behind the rest, which it answers on every
/// connection once it was asked something.
fn answered(bytes: &[u8], schemes: &[&str]) {
    let Some((first, answer)) = bytes.split_first() else {
        return;
    };
    let scheme = schemes[usize::from(first % CLOSES) % schemes.len()];
    let (closes, answer) = (first & CLOSES != 0, Arc::<[u8]>::from(answer));
    let in_websocket = scheme.ends_with("ws");
    let conversation = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port of the loopback can be bound");
        let address = listener.local_addr().expect("it has an address");
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&answer), closes, in_websocket));
            }
        });
        let connect = Channel::connect(format!("{scheme}://{address}"));
        if let Ok(channel) = connect.limits(limits()).await {
            call(channel).await;
        }
        server.abort();
    };
    RUNTIME.with(|runtime| run(runtime, conversation));
}

async fn serve(stream: TcpStream, answer: Arc<[u8]>, closes: bool, in_websocket: bool) {
    let (mut reader, mut writer) = stream.into_split();
    let mut asked = [0; 4096];
    let Ok(length @ 1..) = reader.read(&mut asked).await else {
        return;
    };
    if in_websocket {
        let agreed = agreed(&asked[..length]);
        let _ = writer.write_all(agreed.as_bytes()).await;
    }
    let _ = writer.write_all(&answer).await;
    if closes {
        let _ = writer.shutdown().await;
    }
    while let Ok(1..) = reader.read(&mut asked).await {}
}

/// The handshake that a client's head asks for (RFC 6455, section 4.2.2).
fn agreed(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        let mut headers = head.lines().filter_map(|it| it.split_once(": "));
        let (_, value) = headers.find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        Some(value.to_owned())
    };
    let key = header("sec-websocket-key").unwrap_or_default();
    let accepted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accepted = STANDARD.encode(Sha1::digest(accepted));
    let protocol = header("sec-websocket-protocol");
    let protocol = protocol.map(|it| format!("Sec-WebSocket-Protocol: {it}\r\n"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accepted}\r\n{}\r\n",
        protocol.unwrap_or_default()
    )
}

/// Makes calls of all four patterns at once, which end by their deadline.
async fn call(channel: Channel) {
    let client = FuzzedClient::from_channel(channel);
    let second = Duration::from_secs(1);
    let numbers = futures_util::stream::iter([1, 2, 3]);
    let shapes = futures_util::stream::iter([Shape::Nothing, Shape::Number(7)]);
    let calls = async {
        let _ = tokio::join!(
            client
                .echo(Shape::Text("a".to_owned()), None)
                .timeout(second)
                .into_future(),
            client.count(3).timeout(second).collect::<Vec<_>>(),
            client.sum(numbers).timeout(second).into_future(),
            client.mirror(shapes).timeout(second).collect::<Vec<_>>(),
        );
    };
    let late = Duration::from_millis(1050);
    let ended = timeout(late, calls).await;
    assert!(ended.is_ok(), "a call has not ended by its deadline");
}

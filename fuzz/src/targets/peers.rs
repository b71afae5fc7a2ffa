//! Whole conversations with a server: a peer sends the bytes and closes. Whatever they are, the connection
//! ends by itself, nothing panics, and nothing is left.

use std::time::Duration;

use rpc_runtime::transport::Io;
use rpc_runtime::{Limits, Server, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::service::{FuzzedServer, Implementation};

/// Longer than any time that a connection may take.
pub(super) const LONG: Duration = Duration::from_secs(3600);

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
}

/// Runs on a clock that stands still, and sees that nothing is left then.
pub(super) fn run(runtime: &Runtime, work: impl Future<Output = ()>) {
    runtime.block_on(async {
        work.await;
        // What was cancelled may take its grace.
        sleep(Duration::from_secs(60)).await;
    });
    let tasks = runtime.handle().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "tasks are left");
}

pub(super) fn limits() -> Limits {
    Limits::new().max_message(1 << 16).max_buffered(1 << 20)
}

fn serve(bytes: &[u8], wires: impl IntoIterator<Item = Wire>) {
    let server = Server::new()
        .add(FuzzedServer::new(Implementation))
        .function(
            "hello",
            |name: String| async move { format!("Hello, {name}!") },
        )
        .limits(limits())
        .websocket_any_origin()
        .accept(wires)
        .connections();
    let conversation = async move {
        let stop = server.shutdown_handle();
        let (here, there) = tokio::io::duplex(1 << 16);
        let serving = tokio::spawn(server.serve(Io::new(there)));
        let (mut reader, mut writer) = tokio::io::split(here);
        let reading = tokio::spawn(async move {
            let mut answer = Vec::new();
            let _ = reader.read_to_end(&mut answer).await;
        });
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
        drop(writer);
        let ended = timeout(LONG, serving).await;
        let ended = ended.expect("a connection whose peer has closed ends");
        ended.expect("the connection does not panic");
        let _ = timeout(LONG, reading).await.expect("the stream has an end");
        // A task that ended with its connection lets go of what it holds when it has its turn.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(stop.running_calls(), 0, "calls are left");
        assert_eq!(stop.buffered_bytes(), 0, "buffered bytes are left");
    };
    RUNTIME.with(|runtime| run(runtime, conversation));
}

/// Any bytes, to a server that finds out which wire they are.
pub(crate) fn server(bytes: &[u8]) {
    serve(
        bytes,
        [
            Wire::Native,
            Wire::Http,
            Wire::WebSocket,
            Wire::JsonRpc,
            Wire::KnSock,
        ],
    );
}

/// A client of the native wire, to its server.
pub(crate) fn native_server(bytes: &[u8]) {
    serve(bytes, [Wire::Native]);
}

/// JSON-RPC, line by line or with lengths before it.
pub(crate) fn json_server(bytes: &[u8]) {
    serve(bytes, [Wire::JsonRpc]);
}

/// The dialect of kn-sock.
pub(crate) fn kn_sock_server(bytes: &[u8]) {
    serve(bytes, [Wire::KnSock]);
}

/// JSON behind its length.
pub(crate) fn length_prefixed_server(bytes: &[u8]) {
    serve(bytes, [Wire::LengthPrefixedJson]);
}

/// What comes behind the handshake of a WebSocket, compressed if the first byte is odd.
pub(crate) fn websocket_server(bytes: &[u8]) {
    let Some((first, frames)) = bytes.split_first() else {
        return;
    };
    let protocol = if first & 2 == 0 {
        ""
    } else {
        "Sec-WebSocket-Protocol: jsonrpc\r\n"
    };
    let compression = if first & 1 == 0 {
        ""
    } else {
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    };
    let head = format!(
        "GET /rpc HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {protocol}{compression}\r\n"
    );
    let all = [head.as_bytes(), frames].concat();
    serve(&all, [Wire::Http, Wire::WebSocket, Wire::JsonRpc]);
}

/// The envelopes and the head of gRPC and gRPC-Web, over HTTP/1.1.
pub(crate) fn grpc(bytes: &[u8]) {
    post(
        bytes,
        &[
            "application/grpc-web+json",
            "application/grpc-web-text+json",
            "application/grpc-web+msgpack",
            "application/grpc+json",
        ],
    );
}

/// The bodies of Connect: one message, or envelopes.
pub(crate) fn connect(bytes: &[u8]) {
    post(
        bytes,
        &[
            "application/json",
            "application/connect+json",
            "application/connect+msgpack",
            "application/msgpack",
        ],
    );
}

/// The first byte chooses the kind and the method, the line behind it adds a header, the rest is the
/// body.
fn post(bytes: &[u8], kinds: &[&str]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let first = usize::from(*first);
    let end = rest.iter().position(|it| *it == b'\n').unwrap_or(0);
    let (header, body) = rest.split_at(end);
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let kind = kinds[first % kinds.len()];
    let method = ["Echo", "Count", "Sum", "Mirror"][first / 4 % 4];
    let head = format!(
        "POST /fuzz.v1.Fuzzed/{method} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    let all = [head.as_bytes(), header, b"\r\n\r\n", body].concat();
    serve(&all, [Wire::Http]);
}

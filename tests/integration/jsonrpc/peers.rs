//! Clients and servers of others: jayson, jsonrpcclient, jsonrpc-websocket, jsonrpcserver and kn-sock.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rpc_runtime::{Channel, Code, Wire};
use rpc_tests::serving::serve;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::example::server;

const PATIENCE: Duration = Duration::from_secs(60);

/// A program of another's, with its arguments.
fn command(peer: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = match peer.split_once(' ') {
        Some((script, carrier)) => {
            let mut command = Command::new("node");
            command.arg(tests.join("node").join(script)).arg(carrier);
            command
        }
        None => {
            let case = peer;
            let mut command = Command::new(tests.join("../target/tools/python/bin/python"));
            command.arg(tests.join("python/jsonrpc_peers.py")).arg(case);
            command
        }
    };
    command.kill_on_drop(true).stdin(Stdio::piped());
    command
}

/// Has a client of another's call our server.
async fn calls_us(peer: &str, checks: usize, notified: usize) {
    let (server, served) = server();
    let wires = [Wire::JsonRpc, Wire::KnSock, Wire::Http, Wire::WebSocket];
    let serving = serve("tcp", server.accept(wires)).await;
    let port = serving.url.rsplit(':').next().expect("a port");
    let output = timeout(PATIENCE, command(peer).arg(port).output()).await;
    let output = output.expect("it is bounded in time");
    let output = output.expect("it is there (bash tests/setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a check failed, see above");
    assert_eq!(text.lines().count(), checks, "every check prints a line");
    assert_eq!(served.notified.load(Ordering::SeqCst), notified);
}

/// Starts a server of another's, and returns where it is.
async fn serves_us(peer: &str) -> (Child, String) {
    let mut child = command(peer).stdout(Stdio::piped()).spawn();
    let child_out = child.as_mut().map(|it| it.stdout.take());
    let out = child_out.expect("it is there (bash tests/setup.sh installs it)");
    let mut lines = BufReader::new(out.expect("it is piped")).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(port) = line.strip_prefix("port ") {
                return port.to_owned();
            }
        }
        panic!("it says its port");
    };
    let port = timeout(PATIENCE, port).await.expect("it starts in time");
    (child.unwrap(), port)
}

#[tokio::test]
async fn clients_of_others_call_us() {
    for (peer, checks, notified) in [
        ("jsonrpc.js tcp", 7, 1),
        ("jsonrpc.js http", 7, 1),
        ("jsonrpc.js ws", 7, 1),
        ("tcp", 6, 1),
        ("http", 7, 1),
        ("ws", 7, 1),
        ("kn-sock", 8, 0),
    ] {
        calls_us(peer, checks, notified).await;
    }
}

/// The examples of the specification and some more texts, each with what it is answered.
#[tokio::test]
async fn one_table_of_texts_holds_over_every_transport() {
    let (server, _) = server();
    let wires = [Wire::JsonRpc, Wire::Http, Wire::WebSocket];
    let serving = serve("tcp", server.accept(wires)).await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tables = ["examples.txt", "edges.txt"].map(|it| tests.join("integration/jsonrpc").join(it));
    for scheme in ["tcp", "http", "ws"] {
        let url = serving.url.replacen("tcp", scheme, 1);
        let mut node = Command::new("node");
        node.arg(tests.join("node/jsonrpc_table.js"));
        node.arg(url).args(&tables).kill_on_drop(true);
        let output = timeout(PATIENCE, node.output()).await.expect("it ends");
        let output = output.expect("node is there (bash tests/setup.sh)");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{scheme}: {text}{errors}");
        assert_eq!(text.trim(), "93", "{scheme}: texts");
    }
}

#[tokio::test]
async fn we_call_servers_of_others() {
    for (peer, scheme) in [
        ("jsonrpc.js tcp", "jsonrpc+tcp"),
        ("jsonrpc.js http", "jsonrpc+http"),
        ("jsonrpc.js ws", "jsonrpc+ws"),
        ("tcp", "jsonrpc+tcp"),
        ("http", "jsonrpc+http"),
        ("kn-sock", "knsock"),
    ] {
        let (_child, port) = serves_us(peer).await;
        let url = format!("{scheme}://127.0.0.1:{port}");
        let channel = Channel::connect(url).await.unwrap();
        for number in 0..50 {
            let sum: i64 = channel.call("add", (number, 1)).await.unwrap();
            assert_eq!(sum, number + 1, "{peer}");
        }
        let value = json!({"a": [1, 2.5, null], "b": "\u{e9}\u{1F600}\n"});
        let back: Value = channel.call("echo", (value.clone(),)).await.unwrap();
        assert_eq!(back, value, "{peer}");
        let failed = channel.call::<_, f64>("divide", (1, 0)).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unknown, "{peer}: {failed}");
        let text = "Division by zero is not allowed";
        assert!(failed.message().starts_with(text), "{peer}: {failed}");
        let missing = channel.call::<_, f64>("x", ()).await.unwrap_err();
        assert_eq!(missing.code(), Code::Unimplemented, "{peer}: {missing}");
    }
}

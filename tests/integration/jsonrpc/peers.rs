//! Clients and servers of others: jayson, jsonrpcclient, jsonrpcserver and kn-sock.

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
    let mut command = match peer {
        "jayson" => {
            let mut command = Command::new("node");
            command.arg(tests.join("node/jsonrpc.js"));
            command
        }
        case => {
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
    let serving = serve("tcp", server.accept([Wire::JsonRpc, Wire::KnSock])).await;
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
    calls_us("jayson", 7, 1).await;
    calls_us("jsonrpc", 6, 1).await;
    calls_us("kn-sock", 8, 0).await;
}

#[tokio::test]
async fn we_call_servers_of_others() {
    for (peer, scheme) in [
        ("jayson", "jsonrpc+tcp"),
        ("jsonrpc", "jsonrpc+tcp"),
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

//! Connect, gRPC and gRPC-Web with `@connectrpc/connect-node`, both ways, in every combination of
//! protocol, encoding, version of HTTP, compression and case, and over TLS.

mod cases;
mod service;

/// The schema, as `rpc-build` makes it.
#[allow(missing_docs, unreachable_pub)]
mod schema {
    rpc_runtime::include_schema!("matrix.v1");
}

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rpc_runtime::{Encoding, Server, Wire};
use rpc_tests::serving::{certificate, connect, serve};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// All combinations of one direction take a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// How many there are of a direction.
const OF_THEIR_CLIENT: usize = 312;

/// Starts the script, which is told the schema.
fn script(role: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    let schema = BASE64_STANDARD.encode(schema::FILE_DESCRIPTOR_SET);
    command
        .arg(tests.join("node/connect.js"))
        .args([role, &schema]);
    let (chain, key) = certificate();
    command.env("CERTIFICATE", chain).env("KEY", key);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_node_calls_us_in_every_combination() {
    connect_node_calls_us("tcp", "http").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_node_calls_us_in_every_combination_over_tls() {
    connect_node_calls_us("tls", "https").await;
}

async fn connect_node_calls_us(transport: &str, scheme: &str) {
    let server = Server::new().add(schema::MatrixServer::new(service::Probe));
    let serving = serve(transport, server.accept([Wire::Http])).await;
    let url = serving.url.replacen(transport, scheme, 1);
    let output = timeout(PATIENCE, script("client").arg(url).output()).await;
    let output = output.expect("it is bounded in time");
    let output = output.expect("node is there (bash tests/setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.lines().filter(|it| it.starts_with("passed ")).count();
    println!("{passed} combinations of connect-node's client passed");
    let failed: Vec<&str> = text
        .lines()
        .filter(|it| !it.starts_with("passed "))
        .collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(failed.is_empty(), "{}\n{errors}", failed.join("\n"));
    assert_eq!(passed, OF_THEIR_CLIENT, "{errors}");
    // Nothing is left of calls that its client forgot, now that it is gone.
    let over = async {
        while serving.stop.running_calls() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, over).await.expect("every call has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_connect_node_in_every_combination() {
    let schemes = ["connect+http", "grpc-web+http", "grpc"];
    we_call_connect_node("http2", &schemes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_connect_node_in_every_combination_over_tls() {
    let schemes = ["connect+https", "grpc-web+https", "grpcs"];
    we_call_connect_node("https2", &schemes).await;
}

/// The server knows nothing newer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_connect_node_over_http1() {
    let schemes = ["connect+http1", "grpc-web+http1"];
    we_call_connect_node("http1", &schemes).await;
}

/// The URL is that for HTTP/2: the handshake of TLS tells that it is HTTP/1.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_connect_node_over_http1_in_tls() {
    let schemes = ["connect+https", "grpc-web+https"];
    we_call_connect_node("https1", &schemes).await;
}

async fn we_call_connect_node(below: &str, schemes: &[&str]) {
    let mut passed = 0;
    let mut failed = Vec::new();
    let is_both_ways = below.ends_with('2');
    for compression in ["gzip", "identity"] {
        let (_server, port) = start(compression, below).await;
        for scheme in schemes {
            for encoding in [Encoding::PROTOBUF, Encoding::JSON] {
                let channel = connect(&format!("{scheme}://127.0.0.1:{port}"));
                // What only reads is called by GET, in Connect.
                let channel = channel.connect_get(4_000).await;
                let channel = channel.expect("the peer is there").with_encoding(encoding);
                for case in cases::ALL {
                    // In a task of its own, so that the others are made as well when it panics.
                    let made = tokio::spawn(cases::run(case, channel.clone(), is_both_ways));
                    match timeout(PATIENCE, made).await {
                        Ok(Ok(())) => passed += 1,
                        other => failed.push(format!(
                            "{scheme} {encoding} {compression} {case}: {other:?}"
                        )),
                    }
                }
            }
        }
    }
    println!("{passed} combinations of our client passed over {below}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(passed, schemes.len() * 2 * 2 * cases::ALL.len());
}

/// Starts a server, which says its port on its first line.
async fn start(compression: &str, below: &str) -> (Child, u16) {
    let mut command = script("server");
    command.args([compression, below]).stdout(Stdio::piped());
    let started = command.spawn();
    let mut server = started.expect("node is there (bash tests/setup.sh installs it)");
    let output = server.stdout.take().expect("it is piped");
    let line = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
    let line = line.expect("it starts in time").expect("it can be read");
    let port = line.and_then(|it| it.parse().ok());
    (server, port.expect("the first line is the port"))
}

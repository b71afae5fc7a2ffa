//! Connect, gRPC and gRPC-Web with `@connectrpc/connect-node`, both ways, in every combination of
//! protocol, encoding, version of HTTP, compression and case.

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
use rpc_runtime::{Channel, Encoding, Server, Wire};
use rpc_tests::serving::serve;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// All combinations of one direction take a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// How many there are of a direction.
const OF_THEIR_CLIENT: usize = 312;
const OF_OUR_CLIENT: usize = 3 * 2 * 2 * cases::ALL.len();

/// Starts the script, which is told the schema.
fn script(role: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    let schema = BASE64_STANDARD.encode(schema::FILE_DESCRIPTOR_SET);
    command
        .arg(tests.join("node/connect.js"))
        .args([role, &schema]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_node_calls_us_in_every_combination() {
    let server = Server::new().add(schema::MatrixServer::new(service::Probe));
    let serving = serve("tcp", server.accept([Wire::Http])).await;
    let url = serving.url.replacen("tcp", "http", 1);
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
    let mut passed = 0;
    let mut failed = Vec::new();
    for compression in ["gzip", "identity"] {
        let (_server, port) = start(compression).await;
        for scheme in ["connect+http", "grpc-web+http", "grpc"] {
            for encoding in [Encoding::PROTOBUF, Encoding::JSON] {
                let channel = Channel::connect(format!("{scheme}://127.0.0.1:{port}"));
                // What only reads is called by GET, in Connect.
                let channel = channel.connect_get(4_000).await;
                let channel = channel.expect("the peer is there").with_encoding(encoding);
                for case in cases::ALL {
                    // In a task of its own, so that the others are made as well when it panics.
                    let made = tokio::spawn(cases::run(case, channel.clone()));
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
    println!("{passed} combinations of our client passed");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(passed, OF_OUR_CLIENT);
}

/// Starts a server, which says its port on its first line.
async fn start(compression: &str) -> (Child, u16) {
    let mut command = script("server");
    let started = command.arg(compression).stdout(Stdio::piped()).spawn();
    let mut server = started.expect("node is there (bash tests/setup.sh installs it)");
    let output = server.stdout.take().expect("it is piped");
    let line = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
    let line = line.expect("it starts in time").expect("it can be read");
    let port = line.and_then(|it| it.parse().ok());
    (server, port.expect("the first line is the port"))
}

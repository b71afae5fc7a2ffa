//! Clients and servers in other languages, each a process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rpc_runtime::{Channel, Server, from_fn};
use rpc_tests::serving::{Serving, serve};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::schema::TestServiceServer;
use crate::{cases, service};

/// All cases of one peer take a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// The official client and server, of Debian's package ruby-grpc.
    Ruby,
    /// grpcio.
    Python,
    /// @grpc/grpc-js.
    Node,
}

impl Peer {
    /// Returns its command; the arguments of the script are still to be added.
    fn command(self, role: &str) -> Command {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (program, script) = match self {
            Self::Ruby => (PathBuf::from("ruby"), format!("interop/{role}.rb")),
            Self::Python => (
                tests.join("../target/tools/python/bin/python"),
                "interop/interop.py".to_owned(),
            ),
            Self::Node => (PathBuf::from("node"), "node/interop.js".to_owned()),
        };
        let mut command = Command::new(program);
        command.arg(tests.join(script)).arg(role);
        command
            .current_dir(tests)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Serves what the cases call.
pub(crate) async fn our_server() -> Serving {
    let server = Server::new()
        .add(TestServiceServer::new(service::Interop))
        .layer(from_fn(service::note_compression));
    serve("grpc", server).await
}

/// Runs all cases of a client, and returns those that passed.
pub(crate) async fn cases_of_client(peer: Peer, url: &str) -> Vec<String> {
    let address = url.strip_prefix("grpc://").expect("a URL of gRPC");
    let output = timeout(PATIENCE, peer.command("client").arg(address).output());
    let output = output.await.expect("the cases are bounded in time");
    let output = output.expect("the peer is there (bash tests/setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().filter_map(|line| line.strip_prefix("passed "));
    passed.map(str::to_owned).collect()
}

/// Starts a server, and returns those of our cases that pass against it.
pub(crate) async fn passed_against(peer: Peer, cases: &[&'static str]) -> Vec<&'static str> {
    let (_server, port) = start(peer).await;
    passed_at(&format!("grpc://127.0.0.1:{port}"), cases).await
}

/// Returns those of our cases that pass against a server.
pub(crate) async fn passed_at(url: &str, cases: &[&'static str]) -> Vec<&'static str> {
    let mut passed = Vec::new();
    for case in cases.iter().copied() {
        // A connection of its own, as the official clients have: the server in Ruby sends some statuses
        // twice when a deadline has passed, which breaks it.
        let channel = Channel::connect(url);
        let channel = channel.await.expect("the peer is there");
        // In a task of its own, so that the others are made as well when it panics.
        let made = tokio::spawn(cases::run(case, channel));
        match timeout(PATIENCE, made).await {
            Ok(Ok(())) => passed.push(case),
            failed => println!("{case} failed against {url}: {failed:?}"),
        }
    }
    passed
}

/// Starts a cache in front of a server, and returns where to connect to.
pub(crate) async fn cache(url: &str) -> (Child, String) {
    let mut command = Command::new("node");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/cache.js");
    let address = url.split_once("://").expect("a URL").1;
    command.arg(script).arg(address);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let (cache, port) = started(command).await;
    (cache, format!("connect+http://127.0.0.1:{port}"))
}

/// Starts a server.
async fn start(peer: Peer) -> (Child, u16) {
    started(peer.command("server")).await
}

/// Starts what says its port on its first line.
async fn started(mut command: Command) -> (Child, u16) {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut server = started.expect("the peer is there (bash tests/setup.sh installs it)");
    let output = server.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(output).lines();
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line
        .expect("it starts in time")
        .expect("it can be read")
        .expect("a line");
    let port = line.parse().expect("the first line is the port");
    // What else it says must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (server, port)
}

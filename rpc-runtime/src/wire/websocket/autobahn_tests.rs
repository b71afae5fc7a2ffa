//! Autobahn's cases, both ways, each with the verdict that it has in `tests/golden/autobahn`.
//!
//! `RPC_AUTOBAHN=all` runs all of them, in about ten minutes without optimisation, and `RPC_AUTOBAHN=bless` too,
//! and writes the verdicts down. Without it the cases are left out that measure more than they check: see
//! `tests/python/autobahn.py`.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::Side;
use super::connect::{Target, connect};
use super::extension::Agreed;
use super::handshake::{Subprotocol, answer_to};
use super::messages::Messages;
use crate::transport::Io;
use crate::wire::http::WebUrl;

const LIMIT: usize = 16 << 20;

/// Sends every message back, until the peer ends.
async fn echo(mut messages: Messages) {
    let mut message = Vec::new();
    while let Ok(Some(piece)) = poll_fn(|cx| messages.poll_piece(cx)).await {
        message.extend_from_slice(&piece.bytes);
        if piece.is_last {
            let message = std::mem::take(&mut message);
            if messages.push(piece.is_text, &message).is_err()
                || poll_fn(|cx| messages.socket.poll_flush(cx)).await.is_err()
            {
                break;
            }
        }
    }
    let _ = poll_fn(|cx| messages.socket.poll_shutdown(cx)).await;
}

/// Answers the handshake of Autobahn's client, which asks for no subprotocol.
async fn accept(mut stream: TcpStream) -> Messages {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the client asks"));
    }
    let head = String::from_utf8(head).expect("a head is text");
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|it| it.split_once(": ")) {
        let name = HeaderName::try_from(name).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let agreed = Agreed::choose(&headers);
    let key = answer_to(headers["sec-websocket-key"].as_bytes());
    let extension = agreed.map(|it| format!("Sec-WebSocket-Extensions: {}\r\n", it.answer()));
    let answer = format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n{}\r\n",
        extension.unwrap_or_default()
    );
    stream
        .write_all(answer.as_bytes())
        .await
        .expect("it listens");
    Messages::new(io(stream), Side::Server, agreed, LIMIT, BytesMut::new())
}

fn io(stream: TcpStream) -> Io {
    let (reader, writer) = stream.into_split();
    Io::from_halves(reader, writer)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Begins the script, which says what came of each case in the end.
fn script(arguments: &[&str]) -> Child {
    let asked = std::env::var("RPC_AUTOBAHN").unwrap_or_default();
    let python = root().join("target/tools/python/bin/python");
    assert!(
        python.exists(),
        "bash tests/setup.sh installs the peers in Python"
    );
    Command::new(python)
        .arg(root().join("tests/python/autobahn.py"))
        .args(arguments)
        .args((asked.is_empty()).then_some("--quick"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Python runs")
}

/// Reads verdicts, and compares those that came with those that are written down.
async fn compare(mut child: Child, name: &str) {
    let mut output = String::new();
    let mut stdout = child.stdout.take().expect("it is a pipe");
    stdout
        .read_to_string(&mut output)
        .await
        .expect("it is text");
    let parse = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|it| it.split_once(' '));
        lines
            .map(|(case, verdict)| (case.to_owned(), verdict.to_owned()))
            .collect()
    };
    let path = root().join("tests/golden/autobahn").join(name);
    let found = parse(&output);
    if std::env::var("RPC_AUTOBAHN").is_ok_and(|it| it == "bless") {
        std::fs::write(&path, &output).expect("it can be written");
    }
    let expected = parse(&std::fs::read_to_string(&path).expect("it is there"));
    let mut wrong = Vec::new();
    for (case, verdict) in &found {
        if expected.get(case) != Some(verdict) {
            wrong.push(format!("{case}: {verdict}, not {:?}", expected.get(case)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let is_quick = std::env::var_os("RPC_AUTOBAHN").is_none();
    let least = if is_quick { 240 } else { expected.len() };
    assert!(found.len() >= least, "only {} cases ran", found.len());
}

async fn within(test: impl Future<Output = ()>) {
    let bound = match std::env::var_os("RPC_AUTOBAHN") {
        None => Duration::from_secs(600),
        Some(_) => Duration::from_secs(3_600),
    };
    tokio::time::timeout(bound, test).await.expect("it ends");
}

#[tokio::test]
async fn a_server_passes_autobahns_cases() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move { echo(accept(stream).await).await });
            }
        });
        compare(script(&["server", &address]), "server.txt").await;
        serving.abort();
    })
    .await;
}

async fn open(address: &str, path: &str) -> Messages {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let mut io = io(stream);
    let target = Target {
        url: WebUrl::read(&format!("{address}{path}"), false)
            .expect("a URL")
            .0,
        spoken: Subprotocol::JsonRpc,
        is_named: false,
        offers_compression: true,
    };
    let (received, agreed) = connect(&mut io, &target).await.expect("it agrees");
    Messages::new(io, Side::Client, agreed, LIMIT, received)
}

#[tokio::test]
async fn a_client_passes_autobahns_cases() {
    within(async {
        let mut child = script(&["client"]);
        let mut lines = BufReader::new(child.stdout.as_mut().expect("a pipe")).lines();
        let mut next = async || lines.next_line().await.expect("text").expect("a line");
        let address = next().await;
        let count: usize = next().await.parse().expect("a number of cases");
        for case in 1..=count {
            echo(open(&address, &format!("/runCase?case={case}&agent=rpc")).await).await;
        }
        echo(open(&address, "/updateReports?agent=rpc").await).await;
        compare(child, "client.txt").await;
    })
    .await;
}

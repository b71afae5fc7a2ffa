//! Every reader of a peer's bytes, with what is in its corpus (`fuzz/corpus`), and with changes of it
//! that have fixed seeds.
//!
//! `RPC_MUTATIONS=n` sets how many changes are tried of each target, `RPC_RECORD=1` records the
//! conversations of our own client and server into the corpora of both sides.

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use fastrand::Rng;
use futures_util::StreamExt;
use rpc_runtime::testing::simulate;
use rpc_runtime::transport::Io;
use rpc_runtime::{Channel, RpcClient, Server, Wire};
use targets::service::{FuzzedClient, FuzzedServer, Implementation, Shape};
use targets::{ALL, Target, clients};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// How many changes of each target are tried.
const MUTATIONS: usize = 150;

/// What is interesting in some format.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"{",
    b"]",
    b"\"",
    b"\r\n",
    b"\n",
    b":",
    b"1e999",
    b"\xed\xa0\x80",
];

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../fuzz/corpus/{name}"));
    let entries = std::fs::read_dir(&folder).expect("every target has a corpus");
    let mut paths: Vec<_> = entries
        .map(|it| it.expect("it can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of `{name}` is empty");
    let read = |it: PathBuf| {
        let bytes = std::fs::read(&it).expect("it can be read");
        (it, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// Runs a target, and says with which input it fails.
fn run((name, target): &Target, what: &str, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        eprintln!(
            "target `{name}` fails with {what}: {:?}",
            bytes.escape_ascii().to_string()
        );
        resume_unwind(panic);
    }
}

/// The programs of libFuzzer, which `fuzz/run.sh` finds in the manifest, and these tests try the same.
#[test]
fn each_target_has_a_program() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("it can be read");
    let programs = manifest.split("[[bin]]\n").skip(1);
    let programs: Vec<_> = programs
        .map(|it| it.split('"').nth(1).expect("it has a name"))
        .collect();
    let targets: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(programs, targets);
    for name in targets {
        let source = folder.join(format!("fuzz_targets/{name}.rs"));
        let source = std::fs::read_to_string(source).expect("its program can be read");
        assert!(
            source.contains(&format!("run(\"{name}\", bytes)")),
            "{source}"
        );
    }
}

#[test]
fn corpora_harm_nothing() {
    for target in ALL {
        for (path, bytes) in corpus(target.0) {
            run(target, &path.display().to_string(), &bytes);
        }
    }
}

#[test]
fn changed_corpora_harm_nothing() {
    let count = std::env::var("RPC_MUTATIONS").ok();
    let count = count.map_or(MUTATIONS, |it| it.parse().expect("a number"));
    for target in ALL {
        let corpus = corpus(target.0);
        for seed in 0..count as u64 {
            let mut rng = Rng::with_seed(seed);
            let (_, bytes) = &corpus[rng.usize(..corpus.len())];
            let (_, other) = &corpus[rng.usize(..corpus.len())];
            let changed = changed(bytes.clone(), other, &mut rng);
            run(target, &format!("change {seed}"), &changed);
        }
    }
}

/// What our own client and server say to each other is the best beginning there is.
#[test]
fn changed_conversations_harm_nothing() {
    let conversation = simulate(1, conversation());
    for (name, bytes) in ["native_server", "native_client"]
        .into_iter()
        .zip(conversation)
    {
        assert!(bytes.len() > 200, "nothing was said");
        change_conversation(name, "conversation", &bytes, MUTATIONS);
    }
}

/// The same for the wires whose clients connect by URLs.
#[test]
fn changed_answers_harm_nothing() {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    for (name, schemes) in [
        ("json_client", clients::JSON),
        ("http_client", clients::HTTP),
        ("websocket_client", clients::WEBSOCKET),
    ] {
        for (first, scheme) in schemes.iter().enumerate() {
            let answers = runtime.block_on(answers(scheme));
            assert!(!answers.is_empty(), "nobody was asked");
            for (at, answer) in answers.into_iter().enumerate() {
                // What the target finds the scheme by.
                let bytes = [&[first as u8], &answer[..]].concat();
                change_conversation(name, &format!("{scheme}-{at}"), &bytes, MUTATIONS / 10);
            }
        }
    }
}

/// Runs a target with a conversation and changes of it, and records it where that is asked for.
fn change_conversation(name: &str, what: &str, bytes: &[u8], changes: usize) {
    if std::env::var_os("RPC_RECORD").is_some() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        std::fs::write(folder.join(what), bytes).expect("it can be written");
    }
    let target = ALL.iter().find(|(it, _)| *it == name);
    let target = target.expect("there is such a target");
    run(target, what, bytes);
    for seed in 0..changes as u64 {
        let changed = changed(bytes.to_vec(), bytes, &mut Rng::with_seed(seed));
        run(target, &format!("change {seed} of {what}"), &changed);
    }
}

/// Returns what our server says on each connection that our client makes for calls in all four patterns.
async fn answers(scheme: &str) -> Vec<Vec<u8>> {
    let wires: &[Wire] = match scheme {
        "knsock" => &[Wire::KnSock],
        "lpjson" => &[Wire::LengthPrefixedJson],
        _ => &[Wire::Http, Wire::WebSocket, Wire::JsonRpc],
    };
    let server = Server::new()
        .add(FuzzedServer::new(Implementation))
        .websocket_any_origin()
        .accept(wires.iter().copied())
        .connections();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
    let (sender, mut said) = tokio::sync::mpsc::unbounded_channel();
    let accepting = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server_end, there) = tokio::io::duplex(1 << 16);
            tokio::spawn(server.serve(Io::new(there)));
            let (client_reader, client_writer) = client.into_split();
            let (server_reader, server_writer) = tokio::io::split(server_end);
            tokio::spawn(pass_on(client_reader, server_writer));
            let answer = tokio::spawn(pass_on(server_reader, client_writer));
            sender.send(answer).expect("somebody listens");
        }
    });
    let client = FuzzedClient::connect(&url).await.expect("it connects");
    let numbers = futures_util::stream::iter([1, 2, 3]);
    let shapes = futures_util::stream::iter([Shape::Nothing, Shape::Number(7)]);
    let (echoed, ..) = tokio::join!(
        client.echo(Shape::Text("a".to_owned()), None).into_future(),
        client.count(3).collect::<Vec<_>>(),
        client.sum(numbers).into_future(),
        client.mirror(shapes).collect::<Vec<_>>(),
    );
    assert_eq!(echoed.ok(), Some(Shape::Text("a".to_owned())), "{scheme}");
    drop(client);
    accepting.abort();
    let mut answers = Vec::new();
    while let Some(answer) = said.recv().await {
        let answer = answer.await.expect("no panic");
        // A connection that was made and not needed.
        if answer.is_empty() {
            continue;
        }
        let handshake = match scheme.ends_with("ws") {
            true => answer.windows(4).position(|it| it == b"\r\n\r\n"),
            false => None,
        };
        answers.push(answer[handshake.map_or(0, |it| it + 4)..].to_vec());
    }
    answers
}

/// Returns what a client and a server said, each.
async fn conversation() -> [Vec<u8>; 2] {
    let server = Server::new()
        .add(FuzzedServer::new(Implementation))
        .connections();
    let (sender, mut spoken) = tokio::sync::mpsc::unbounded_channel();
    let connect = Channel::connect_with("recorded", move || {
        let (here, client) = tokio::io::duplex(1 << 16);
        let (server_end, there) = tokio::io::duplex(1 << 16);
        tokio::spawn(server.serve(Io::new(there)));
        let (client_reader, client_writer) = tokio::io::split(client);
        let (server_reader, server_writer) = tokio::io::split(server_end);
        let said = [
            tokio::spawn(pass_on(client_reader, server_writer)),
            tokio::spawn(pass_on(server_reader, client_writer)),
        ];
        sender.send(said).expect("somebody listens");
        async move { Ok(Io::new(here)) }
    });
    let client = FuzzedClient::from_channel(connect.await.expect("it connects"));
    let numbers = futures_util::stream::iter([1, 2, 3]);
    let shapes = futures_util::stream::iter([Shape::Nothing, Shape::Number(7)]);
    let (echoed, counted, summed, mirrored) = tokio::join!(
        client.echo(Shape::Text("a".to_owned()), None).into_future(),
        client.count(3).collect::<Vec<_>>(),
        client.sum(numbers).into_future(),
        client.mirror(shapes).collect::<Vec<_>>(),
    );
    assert_eq!(echoed.ok(), Some(Shape::Text("a".to_owned())));
    assert_eq!(
        (counted.len(), summed.ok(), mirrored.len()),
        (3, Some(6), 2)
    );
    drop(client);
    let [client, server] = spoken.recv().await.expect("it has connected");
    [
        client.await.expect("no panic"),
        server.await.expect("no panic"),
    ]
}

/// Passes bytes on until they end, and returns them.
async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = from.read(&mut some).await {
        all.extend_from_slice(&some[..length]);
        let _ = to.write_all(&some[..length]).await;
    }
    let _ = to.shutdown().await;
    all
}

/// Changes some places.
fn changed(mut bytes: Vec<u8>, other: &[u8], rng: &mut Rng) -> Vec<u8> {
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=bytes.len());
        match rng.u32(..5) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.u32(..8),
            2 => drop(bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied())),
            3 => {
                let end = (at + rng.usize(..8)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
            _ => {
                let from = rng.usize(..=other.len());
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

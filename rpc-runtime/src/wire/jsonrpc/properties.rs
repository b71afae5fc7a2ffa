//! What holds for whatever a peer says: a batch is its calls, and it does not matter in which pieces
//! bytes come.

use std::sync::Arc;

use bytes::BytesMut;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::framing::Framing;
use super::stream::{Dialects, serve};
use super::tests::{Here, served};
use crate::transport::Io;
use crate::wire::Draining;
use crate::wire::config::Config;

/// Makes a call, or what could be taken for one.
fn item(random: &mut Rng) -> Value {
    let id = [
        json!(random.u32(..)),
        json!("an id"),
        json!(null),
        json!(1.5),
        json!({}),
    ];
    let methods = [
        "sum", "echo", "big", "half", "panics", "fails", "nothing", "slow", "",
    ];
    let params = [
        json!([random.i32(..), 2, 3]),
        json!({"a": 1, "b": random.i8(..), "c": 3}),
        json!([random.u64(..)]),
        json!([{"deep": [[[{}]]], "text": "a\u{e9}\n\u{1F600}"}]),
        json!([7]),
        json!([true]),
        json!([]),
        json!(7),
    ];
    let mut call = json!({
        "jsonrpc": "2.0",
        "id": id[random.usize(..id.len())],
        "method": methods[random.usize(..methods.len())],
        "params": params[random.usize(..params.len())],
    });
    let members = ["jsonrpc", "id", "method", "params"];
    if random.u8(..4) == 0 {
        let member = members[random.usize(..members.len())];
        call.as_object_mut().map(|it| it.remove(member));
    }
    if call["method"] == "slow" {
        call["params"] = json!([random.u8(..3)]);
    }
    match random.u8(..20) {
        0 => json!(random.i64(..)),
        1 => json!([]),
        2 => json!([call]),
        _ => call,
    }
}

#[tokio::test]
async fn a_batch_is_answered_as_its_calls_are() {
    let mut random = Rng::with_seed(0x42_41_54_43_48);
    let here = Here::new();
    for _ in 0..300 {
        let items: Vec<_> = (0..random.usize(1..40))
            .map(|_| item(&mut random))
            .collect();
        let mut alone = Vec::new();
        for item in &items {
            // An array is a batch by itself, and no item of one.
            let answer = match item {
                Value::Array(_) => here.text("{}").await,
                item => here.text(item.to_string()).await,
            };
            alone.extend(answer);
        }
        let alone: Vec<Value> = alone
            .iter()
            .map(|it| serde_json::from_slice(it).expect("an answer is JSON"))
            .collect();
        let batch = here.text(json!(items).to_string()).await;
        let batch = batch.map(|it| serde_json::from_slice(&it).expect("an answer is JSON"));
        assert_eq!(batch.unwrap_or(json!([])), json!(alone), "{items:?}");
    }
}

/// Serves a connection on which these pieces come one after the other, and returns what is answered.
async fn answers(dialects: Dialects, pieces: impl Iterator<Item = &[u8]>) -> Vec<u8> {
    let (ours, theirs) = duplex(1 << 20);
    let draining = Draining::default();
    let config = Arc::new(Config::default());
    let serving = serve(
        Io::new(ours),
        BytesMut::new(),
        dialects,
        config,
        served(),
        draining,
    );
    let serving = tokio::spawn(serving);
    let (mut reader, mut writer) = tokio::io::split(theirs);
    for piece in pieces {
        writer.write_all(piece).await.expect("the server reads");
        tokio::task::yield_now().await;
    }
    writer.shutdown().await.expect("the server reads");
    let mut answers = Vec::new();
    reader
        .read_to_end(&mut answers)
        .await
        .expect("the server answers");
    serving.await.expect("no panic").expect("a good end");
    answers
}

/// Tells lines apart; in an order of their own, as calls are answered when they end.
fn told_apart(bytes: &[u8]) -> Vec<&[u8]> {
    let lines = bytes.split(|it| *it == b'\n');
    // An empty line is there to see whether this side still is.
    let mut texts: Vec<_> = lines.filter(|it| !it.is_empty()).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn it_does_not_matter_in_which_pieces_bytes_come() {
    let mut random = Rng::with_seed(0x50_49_45_43_45);
    for dialects in [
        Dialects::JsonRpc,
        Dialects::JsonRpcOrKnSock,
        Dialects::KnSock,
    ] {
        for _ in 0..40 {
            let mut bytes = BytesMut::new();
            for _ in 0..random.usize(1..30) {
                let mut text = item(&mut random).to_string();
                if random.u8(..10) == 0 {
                    text.truncate(text.find(',').unwrap_or(1));
                }
                Framing::Lines.put(&mut bytes, text.as_bytes());
            }
            let whole = answers(dialects, std::iter::once(&bytes[..])).await;
            let mut rest = &bytes[..];
            let pieces = std::iter::from_fn(|| {
                let most = [1, 3, 20, 500][random.usize(..4)];
                let (piece, left) = rest.split_at(rest.len().min(random.usize(1..=most)));
                rest = left;
                (!piece.is_empty()).then_some(piece)
            });
            let in_pieces = answers(dialects, pieces).await;
            assert_eq!(
                told_apart(&in_pieces),
                told_apart(&whole),
                "{dialects:?}: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

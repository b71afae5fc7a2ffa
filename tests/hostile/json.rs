//! JSON that is meant to harm, in each framing: it is answered, bounded, and harms nobody else.

use std::time::Duration;

use rpc_runtime::{Code, Limits, Server, Wire};
use rpc_tests::json_peer::{Framing, JsonPeer, code, message};
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::Serving;
use serde_json::{Value, json};

use super::depth::{Echo, NestedServer, on_small_stacks};
use super::healthy::{Bystander, Memory, alone, start};
use rpc_tests::eventually;

const MIB: usize = 1 << 20;

/// What a client of each framing connects to.
const SCHEMES: [&str; 3] = ["jsonrpc+tcp", "lpjson", "jsonrpc+ws"];

async fn serving(limits: Limits) -> Serving {
    let server = Server::new()
        .add(MathServer::new(Calculator::new()))
        .add(NestedServer::new(Echo))
        .function("any", |value: Value| async move { value.is_array() })
        .function("large", |length: usize| async move { "a".repeat(length) })
        .limits(limits)
        .keepalive(Duration::from_secs(20), Duration::from_secs(2))
        .accept([Wire::JsonRpc, Wire::LengthPrefixedJson, Wire::WebSocket]);
    start(server).await
}

fn url(serving: &Serving, scheme: &str) -> String {
    serving.url.replacen("tcp", scheme, 1)
}

/// Connects, and makes a call: a connection that begins with what is no JSON is no wire at all.
async fn peer(serving: &Serving, scheme: &str) -> JsonPeer {
    let mut peer = JsonPeer::connect(&url(serving, scheme)).await;
    expect_alive(&mut peer).await;
    peer
}

/// Good clients of the native wire and of JSON, on connections of their own.
async fn bystanders(serving: &Serving) -> [Bystander; 2] {
    let json = Bystander::of(&url(serving, "jsonrpc+tcp")).await;
    [Bystander::of(&serving.url).await, json]
}

async fn unharmed(bystanders: [Bystander; 2]) {
    for bystander in bystanders {
        bystander.expect_unharmed().await;
    }
}

/// Makes sure that the connection serves, which is known by an id that nothing else has.
async fn expect_alive(peer: &mut JsonPeer) {
    let id = "alive";
    peer.send(&json!({"jsonrpc": "2.0", "id": id, "method": "test.v1.Math.add", "params": [2, 3]}))
        .await;
    loop {
        let answer = peer.next().await;
        if answer["id"] == id {
            assert_eq!(answer["result"], 5, "{answer}");
            return;
        }
    }
}

/// A call, with the text of its parameters as it is.
fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn nested(open: &str, inner: &str, close: &str) -> String {
    const DEEP: usize = 20_000;
    [&open.repeat(DEEP), inner, &close.repeat(DEEP)].concat()
}

#[test]
fn endless_nesting_is_an_error_of_its_call() {
    on_small_stacks(async {
        let serving = serving(Limits::new()).await;
        let bystanders = bystanders(&serving).await;
        let arrays = nested("[", "", "]");
        let attacks = [
            (
                call(
                    "test.v1.Nested.tree",
                    &format!("[{}]", nested(r#"{"children":["#, "", "]}")),
                ),
                "max_depth",
            ),
            (
                call(
                    "test.v1.Nested.expression",
                    &format!("[{}]", nested(r#"{"Negate":"#, r#"{"Number":1}"#, "}")),
                ),
                "max_depth",
            ),
            (
                call(
                    "test.v1.Nested.bare",
                    &format!("[{}]", nested(r#"{"Negate":"#, r#"{"Number":1}"#, "}")),
                ),
                "max_depth",
            ),
            (
                call(
                    "test.v1.Nested.number",
                    &format!(r#"{{"number":5,"junk":{arrays}}}"#),
                ),
                "max_depth",
            ),
            (call("any", &format!("[{arrays}]")), "max_depth"),
            // Beside the parameters it is read over, and outside of a call it is none.
            (
                format!(r#"{{"jsonrpc":"2.0","id":{arrays},"method":"any"}}"#),
                "",
            ),
            (
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":{arrays}}}"#),
                "",
            ),
            (format!(r#"{{"jsonrpc":"2.0","id":1,"junk":{arrays}}}"#), ""),
            (arrays.clone(), ""),
            ("[".repeat(200_000), ""),
            (r#"{"a":"#.repeat(20_000), ""),
            (r#"[{"id":"#.repeat(20_000), ""),
        ];
        for scheme in SCHEMES {
            let mut peer = peer(&serving, scheme).await;
            for (text, limit) in &attacks {
                peer.text(text).await;
                let answer = peer.next().await;
                // A batch of one, which is no call, is answered with a batch.
                let error = answer.get(0).unwrap_or(&answer);
                let what = &text[..60];
                assert_eq!(
                    code(error),
                    Code::InvalidArgument,
                    "{scheme}: {what}: {answer}"
                );
                assert!(message(error).contains(limit), "{scheme}: {what}: {answer}");
                expect_alive(&mut peer).await;
            }
        }
        unharmed(bystanders).await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_names_and_texts_of_any_kind_are_answered() {
    let serving = serving(Limits::new()).await;
    let bystanders = bystanders(&serving).await;
    let digits = "9".repeat(100_000);
    let (exponent, long) = (
        format!("1e{digits}"),
        format!("\"{}\"", "\\u0000".repeat(20_000)),
    );
    for scheme in SCHEMES {
        let mut peer = peer(&serving, scheme).await;
        let bad = [
            &digits,
            &exponent,
            "1e400",
            "-0.5",
            "18446744073709551616",
            "[]",
            "{}",
            "null",
            &long,
        ];
        for value in bad {
            // For a number of 64 bits, by position and by name, and twice, which says nothing certain.
            for params in [
                format!("[{value},1]"),
                format!(r#"{{"a":{value},"b":1}}"#),
                format!(r#"{{"a":1,"b":1,"a":{value}}}"#),
                format!(r#"{{"a":1,"b":1,"a":1,"x":{value}}}"#),
            ] {
                peer.text(call("test.v1.Math.add", &params)).await;
                let answer = peer.next().await;
                let what = &params[..params.len().min(60)];
                assert_eq!(
                    code(&answer),
                    Code::InvalidArgument,
                    "{scheme}: {what}: {answer}"
                );
                assert_eq!(answer["id"], 1);
                // The error tells of the value, and does not repeat all of it.
                assert!(answer.to_string().len() < 2_000, "{scheme}: {what}");
            }
        }
        for id in [&digits, &exponent, &long, "[1]", "{}", "true"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"any","params":[[]]}}"#);
            peer.text(text).await;
            let answer = peer.next().await;
            assert_eq!(code(&answer), Code::InvalidArgument, "{scheme}: {answer}");
            assert!(answer.to_string().len() < 2_000);
        }
        // A method's name is not repeated at any length either.
        let name = "x".repeat(MIB);
        peer.text(call(&name, "[]")).await;
        let answer = peer.next().await;
        assert_eq!(code(&answer), Code::Unimplemented);
        assert!(answer.to_string().len() < 2_000);
        for member in [
            "\"id\":1",
            "\"method\":\"any\"",
            "\"params\":[[]]",
            "\"jsonrpc\":\"2.0\"",
        ] {
            let text = call("any", "[[]]").replacen('{', &format!("{{{member},"), 1);
            peer.text(text).await;
            let answer = peer.next().await;
            if scheme != "lpjson" || !member.contains("jsonrpc") {
                assert_eq!(code(&answer), Code::InvalidArgument, "{scheme}: {member}");
            }
        }
        expect_alive(&mut peer).await;
    }
    unharmed(bystanders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text_are_answered_or_close_their_own_connection() {
    let serving = serving(Limits::new()).await;
    let bystanders = bystanders(&serving).await;
    let broken: [&[u8]; 8] = [
        b"\xFF",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xE2\x82",
        b"\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\0",
    ];
    for scheme in SCHEMES {
        let mut peer = peer(&serving, scheme).await;
        for bytes in broken {
            for (before, after) in [
                ("", ""),
                (
                    r#"{"jsonrpc":"2.0","id":1,"method":"any","params":[""#,
                    "\"]}",
                ),
                (r#"{"jsonrpc":"2.0","id":""#, r#"","method":"any"}"#),
                (r#"{"jsonrpc":"2.0","id":1,"method":""#, "\"}"),
                (r#"[{"jsonrpc":"2.0","id":1,"method":"any"},"#, "]"),
            ] {
                let text = [before.as_bytes(), bytes, after.as_bytes()].concat();
                peer.text(&text).await;
                let is_text = std::str::from_utf8(&text).is_ok();
                if peer.framing() == Framing::Messages && !is_text {
                    // RFC 6455, section 8.1.
                    assert_eq!(peer.rest().await, Vec::<Value>::new(), "{text:?}");
                    peer = self::peer(&serving, scheme).await;
                } else {
                    let answer = peer.next().await;
                    assert_eq!(
                        code(&answer),
                        Code::InvalidArgument,
                        "{scheme}: {text:?}: {answer}"
                    );
                }
            }
        }
        expect_alive(&mut peer).await;
    }
    unharmed(bystanders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_were_cut_or_changed_anywhere_harm_nobody() {
    let serving = serving(Limits::new().message_timeout(Duration::from_millis(200))).await;
    let bystanders = bystanders(&serving).await;
    let whole = r#"[{"jsonrpc":"2.0","id":-1.5e2,"method":"test.v1.Math.add","params":{"a":1,"b":"\u00e9\ud83d"}},{"x":[null,true]}]"#;
    let mut random = fastrand::Rng::with_seed(0x4A53_4F4E);
    for scheme in SCHEMES {
        let mut connection = peer(&serving, scheme).await;
        for round in 0..600 {
            let mut text = whole.as_bytes().to_vec();
            match round % 3 {
                0 => text.truncate(random.usize(..text.len())),
                1 => text.rotate_left(random.usize(..whole.len())),
                _ => {}
            }
            for _ in 0..random.usize(..4) {
                if !text.is_empty() {
                    let at = random.usize(..text.len());
                    text[at] = random.u8(..);
                }
            }
            // What follows a text that closes its connection fails.
            let framed = connection.framing().frame(&text);
            if connection.try_bytes(&framed).await.is_err() {
                connection = peer(&serving, scheme).await;
            }
        }
        // And frames that are no frames.
        for _ in 0..100 {
            let mut connection = peer(&serving, scheme).await;
            let mut framed = connection.framing().frame(whole.as_bytes());
            let at = random.usize(..framed.len().min(20));
            framed[at] = random.u8(..);
            framed.truncate(random.usize(..=framed.len()));
            let _ = connection.try_bytes(&framed).await;
        }
        expect_alive(&mut peer(&serving, scheme).await).await;
    }
    eventually("every call is over", || serving.stop.running_calls() <= 2).await;
    unharmed(bystanders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_texts_take_no_memory() {
    let _alone = alone().await;
    let serving = serving(Limits::new().max_message(MIB)).await;
    let bystanders = bystanders(&serving).await;
    let memory = Memory::now();
    let part = vec![b'1'; MIB];
    for scheme in ["jsonrpc+tcp", "lpjson"] {
        let mut peer = peer(&serving, scheme).await;
        if peer.framing() == Framing::Lengths {
            peer.bytes(&(256_u32 << 20).to_be_bytes()).await;
        }
        for _ in 0..256 {
            peer.bytes(&part).await;
        }
        if peer.framing() == Framing::Lines {
            peer.bytes(b"\n").await;
        }
        let refused = peer.next().await;
        assert!(message(&refused).contains("`max_message`"), "{refused}");
        expect_alive(&mut peer).await;
        memory.expect_below("a text of 256 MiB", 16 * MIB);
    }
    // A message of a WebSocket is refused by its length, and closes the connection, as one in
    // fragments without an end does.
    let mut announced = peer(&serving, "jsonrpc+ws").await;
    announced
        .bytes(&[0x81, 0xFF, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, b'{'])
        .await;
    assert_eq!(announced.rest().await, Vec::<Value>::new());
    let mut fragments = peer(&serving, "jsonrpc+ws").await;
    let mut fragment = vec![0x01, 0xFF, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0];
    fragment.extend([b' '; 0x1000]);
    for _ in 0..=MIB / 0x1000 {
        // The server may have closed it already.
        let _ = fragments.try_bytes(&fragment).await;
        fragment[0] = 0x00;
    }
    assert_eq!(fragments.rest().await, Vec::<Value>::new());
    memory.expect_below("a message without end", 16 * MIB);
    unharmed(bystanders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_ten_thousand_are_refused_or_answered() {
    let _alone = alone().await;
    let add = r#"{"jsonrpc":"2.0","id":7,"method":"test.v1.Math.add","params":[2,3]}"#;
    let batch = |item: &str| format!("[{}]", vec![item; 10_000].join(","));
    let usual = serving(Limits::new()).await;
    let bystanders = bystanders(&usual).await;
    for scheme in SCHEMES {
        let mut peer = peer(&usual, scheme).await;
        peer.text(batch(add)).await;
        let answer = peer.next().await;
        if scheme == "lpjson" {
            // It has no batches.
            assert_eq!(code(&answer), Code::InvalidArgument, "{answer}");
        } else {
            assert_eq!(code(&answer), Code::ResourceExhausted, "{answer}");
            assert!(message(&answer).contains("`max_batch` of 1000"), "{answer}");
        }
        expect_alive(&mut peer).await;
    }
    unharmed(bystanders).await;

    let raised = serving(Limits::new().max_batch(10_000).max_message(2 * MIB)).await;
    let bystanders = self::bystanders(&raised).await;
    let large = r#"{"jsonrpc":"2.0","id":7,"method":"large","params":[10000]}"#;
    let missing = r#"{"jsonrpc":"2.0","id":7,"method":"nothing"}"#;
    for scheme in ["jsonrpc+tcp", "jsonrpc+ws"] {
        let mut peer = peer(&raised, scheme).await;
        for item in [add, "1", missing] {
            peer.text(batch(item)).await;
            let answers = peer.next().await;
            let answers = answers.as_array().expect("a batch");
            assert_eq!(answers.len(), 10_000);
            let is_good = |it: &Value| (item == add) == (it["result"] == 5);
            assert!(answers.iter().all(is_good), "{}", answers[0]);
        }
        // What is answered together, 100 MiB, is bounded before it is there.
        let memory = Memory::now();
        peer.text(batch(large)).await;
        let answers = peer.next().await;
        let answers = answers.as_array().expect("a batch");
        let refused = answers.iter().filter(|it| it.get("error").is_some());
        let all_say_why = refused
            .clone()
            .all(|it| message(it).contains("`max_message`"));
        let refused = refused.count();
        assert!(
            all_say_why && (9_700..9_999).contains(&refused),
            "{refused}"
        );
        memory.expect_below("a batch whose answers are too large", 64 * MIB);
        expect_alive(&mut peer).await;
    }
    unharmed(bystanders).await;
}

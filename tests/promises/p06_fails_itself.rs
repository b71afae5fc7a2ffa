//! What is wrong with a frame or a message fails its call, and nothing beside it.

use std::time::Duration;

use rpc_runtime::{Code, Limits};
use rpc_tests::json_peer::{self, Framing, JsonPeer, JsonServer};
use rpc_tests::raw::{
    RawPeer, block, field, field_of, flag, frame, kind, method, raw_server, varint,
};

use crate::probe::{Event, ProbeClient, Probing, Then, bounded};

on_every_transport! {
    a_bad_request_fails_itself
    bad_frames_of_a_call_fail_that_call
    frames_for_nobody_are_ignored
    an_item_that_cannot_be_read_fails_itself
    a_bad_answer_fails_its_call
    a_bad_call_leaves_an_open_stream_alone
}

over_json! {
    a_bad_text_fails_itself
    a_text_that_does_not_become_whole_fails_itself
    a_bad_answer_in_json_fails_its_call
}

/// Messages of a WebSocket are texts of JSON-RPC.
mod over_json_and_websocket {
    over! { "jsonrpc+ws": a_bad_text_fails_itself a_text_that_does_not_become_whole_fails_itself }
}

over_http_and_tls! {
    a_bad_call_leaves_an_open_stream_alone
}

const CODE_INVALID: u64 = 3;
const CODE_EXHAUSTED: u64 = 8;
const CODE_UNIMPLEMENTED: u64 = 12;
const CODE_INTERNAL: u64 = 13;

/// A call that is open while others go wrong, as call 1.
async fn beside(transport: &str) -> (Probing, RawPeer) {
    let mut probing = Probing::on(transport).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    client.request(1, "test.v1.Probe/hold", &[]).await;
    probing.expect(&[Event::Started]).await;
    (probing, client)
}

/// Ends the call that was open all the time.
async fn still_there(probing: &Probing, client: &mut RawPeer) {
    client.settle().await;
    probing.shared.gate.add_permits(1);
    let reply = client.next_for(1).await;
    assert_eq!((reply.kind, reply.message()), (kind::RESPONSE, &[7][..]));
    probing.quiet().await;
    probing.works().await;
}

async fn a_bad_request_fails_itself(transport: &str) {
    let (probing, mut client) = beside(transport).await;
    let add = method("test.v1.Probe/add");
    let good = b"\x92\x02\x03";
    let with = |fields: &[u8]| block(&[&add[..], fields].concat(), good);
    let deep = [&b"\x91"[..], &[0x91; 5_000], b"\x01"].concat();
    let bad: Vec<(Vec<u8>, u64, &str)> = vec![
        (vec![0xFF; 3], CODE_INVALID, "a block without an end"),
        (vec![50, 1, 2], CODE_INVALID, "a block beyond its payload"),
        (
            with(&[field::TIMEOUT, 9, 1]),
            CODE_INVALID,
            "a field beyond its block",
        ),
        (
            with(&field_of(field::METHOD_NUMBER, &[0])),
            CODE_INVALID,
            "a name and a number",
        ),
        (with(&add), CODE_INVALID, "two names"),
        (
            with(&field_of(field::TIMEOUT, &[0x80])),
            CODE_INVALID,
            "half a number",
        ),
        (
            with(&field_of(field::METADATA, b"\x02A\nx")),
            CODE_INVALID,
            "a bad name",
        ),
        (
            with(&field_of(0x20, b"?")),
            CODE_UNIMPLEMENTED,
            "an unknown field",
        ),
        (block(&[], good), CODE_INVALID, "no method"),
        (
            block(&field_of(field::METHOD_NUMBER, &varint(99)), good),
            CODE_UNIMPLEMENTED,
            "no number",
        ),
        (
            block(&method("test.v1.Probe/none"), good),
            CODE_UNIMPLEMENTED,
            "an unknown method",
        ),
        (
            block(&method("\u{1}"), good),
            CODE_UNIMPLEMENTED,
            "a strange method",
        ),
        (
            with(&field_of(0x04, &[77])),
            CODE_UNIMPLEMENTED,
            "an unknown encoding",
        ),
        (
            with(&field_of(
                field::METADATA,
                &[&b"\x01a"[..], &[b'v'; 20_000]].concat(),
            )),
            CODE_EXHAUSTED,
            "long fields",
        ),
        (block(&add, b"\x92\x02"), CODE_INVALID, "half a message"),
        (
            block(&add, b"\x92\x02\x03\x04"),
            CODE_INVALID,
            "more than a message",
        ),
        (block(&add, b"\x92\xa1a\xa1b"), CODE_INVALID, "other types"),
        (block(&add, &[]), CODE_INVALID, "no arguments"),
        (
            block(&method("test.v1.Probe/take"), &deep),
            CODE_INVALID,
            "a deep message",
        ),
    ];
    let mut call = 1;
    for (payload, code, what) in bad {
        call += 2;
        client
            .send(kind::REQUEST, flag::BODY | flag::END, call, &payload)
            .await;
        let error = client.next_for(call).await;
        assert_eq!(
            (error.kind, error.number(field::CODE)),
            (kind::ERROR, Some(code)),
            "{what}"
        );
        assert!(!error.text().is_empty(), "{what}");
        call += 2;
        client.request(call, "test.v1.Probe/add", good).await;
        assert_eq!(client.next_for(call).await.message(), [5], "after {what}");
    }
    call += 2;
    client
        .send(kind::REQUEST, flag::MORE, call, &block(&add, &[]))
        .await;
    assert_eq!(
        client.next_for(call).await.number(field::CODE),
        Some(CODE_INVALID)
    );
    still_there(&probing, &mut client).await;
}

async fn bad_frames_of_a_call_fail_that_call(transport: &str) {
    let (probing, mut client) = beside(transport).await;
    let good = field_of(field::METADATA, b"\x01ab");
    let bad: Vec<(Vec<u8>, u64, &str)> = vec![
        (
            frame(0x0F, 0, 0, &[1]),
            CODE_UNIMPLEMENTED,
            "an unknown frame",
        ),
        (
            frame(kind::RESPONSE, 0, 0, &[0]),
            CODE_UNIMPLEMENTED,
            "a RESPONSE to one's own call",
        ),
        (
            frame(kind::ERROR, 0, 0, &[]),
            CODE_UNIMPLEMENTED,
            "an ERROR of one's own call",
        ),
        (
            frame(kind::CREDIT, 0, 0, &[0x80]),
            CODE_INTERNAL,
            "half a CREDIT",
        ),
        (
            frame(kind::CREDIT, 0, 0, &[1, 1]),
            CODE_INTERNAL,
            "more than a CREDIT",
        ),
        (
            frame(kind::MESSAGE, flag::MORE | flag::END, 0, &[1]),
            CODE_INTERNAL,
            "MORE and END",
        ),
        (
            frame(kind::END, flag::END, 0, &good[..good.len() - 1]),
            CODE_INTERNAL,
            "a bad END",
        ),
    ];
    let mut call = 1;
    for (bytes, code, what) in bad {
        call += 2;
        client
            .send(
                kind::REQUEST,
                0,
                call,
                &block(&method("test.v1.Probe/hold"), &[]),
            )
            .await;
        let bytes = [&bytes[..8], &u64::to_le_bytes(call), &bytes[16..]].concat();
        client.bytes(&bytes).await;
        let error = client.next_for(call).await;
        assert_eq!(error.kind, kind::ERROR, "{what}");
        assert_eq!(
            error.number(field::CODE),
            Some(code),
            "{what}: {}",
            error.text()
        );
    }
    still_there(&probing, &mut client).await;
}

async fn frames_for_nobody_are_ignored(transport: &str) {
    let (probing, mut client) = beside(transport).await;
    for call in [3, 77, u64::MAX, 2, 1 << 40] {
        for kind in [
            kind::MESSAGE,
            kind::END,
            kind::CANCEL,
            kind::CREDIT,
            kind::ERROR,
        ] {
            client.send(kind, 0, call, &[1]).await;
        }
        client.send(0x8F, 0xFF, call, &[1]).await;
        client.send(0x0F, 0, call, &[1]).await;
    }
    client.send(0x8F, 0xFF, 0, &[1; 1_000]).await;
    client.send(kind::PING, flag::ACK, 0, &[1; 8]).await;
    client.send(kind::CANCEL, 0, 1, &[0xFF]).await;
    client
        .request(3, "test.v1.Probe/add", b"\x92\x02\x03")
        .await;
    let reply = client.next().await;
    assert_eq!(
        (reply.call, reply.message()),
        (3, &[5][..]),
        "something was answered"
    );
    probing.quiet().await;
    probing.works().await;
}

async fn an_item_that_cannot_be_read_fails_itself(transport: &str) {
    let (mut probing, mut client) = beside(transport).await;
    client
        .send(
            kind::REQUEST,
            0,
            3,
            &block(&method("test.v1.Probe/collect"), &[]),
        )
        .await;
    probing.expect(&[Event::Started]).await;
    client.send(kind::MESSAGE, 0, 3, b"\xa5Never").await;
    client.send(kind::MESSAGE, flag::END, 3, b"\xc1").await;
    probing
        .expect(&[Event::Upload(1, Err(Code::InvalidArgument))])
        .await;
    assert_eq!(client.next_for(3).await.kind, kind::ERROR);
    still_there(&probing, &mut client).await;
}

async fn a_bad_answer_fails_its_call(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let beside = client.add(4, 5).start();
    let open = server.next_of(kind::REQUEST).await.call;
    let reply = flag::BODY | flag::END;
    let deep = [&[0x91; 5_000][..], b"\x01"].concat();
    let bad: Vec<(u8, u8, Vec<u8>, &str)> = vec![
        (
            kind::RESPONSE,
            reply,
            vec![0xFF; 3],
            "a block without an end",
        ),
        (
            kind::RESPONSE,
            reply,
            block(&field_of(0x20, b"?"), &[3]),
            "an unknown field",
        ),
        (kind::RESPONSE, reply, block(&[], b"\xc1"), "no message"),
        (
            kind::RESPONSE,
            reply,
            block(&[], b"\x03\x03"),
            "two messages",
        ),
        (kind::RESPONSE, reply, block(&[], b"\xa1a"), "another type"),
        (kind::RESPONSE, reply, block(&[], &deep), "a deep message"),
        (
            kind::RESPONSE,
            flag::END,
            block(&[], &[]),
            "an end without a message",
        ),
        (
            kind::MESSAGE,
            flag::END,
            vec![3],
            "a message before the acceptance",
        ),
        (kind::END, flag::END, vec![], "an end before the acceptance"),
        (kind::ERROR, flag::END, vec![field::CODE, 9], "a bad error"),
        (0x0F, 0, vec![1], "an unknown frame"),
        (kind::CREDIT, 0, vec![], "an empty credit"),
        (kind::CANCEL, 0, vec![], "a cancel of somebody else's call"),
    ];
    for (kind, flags, payload, what) in bad {
        let call = client.add(1, 2).start();
        let request = server.next_of(kind::REQUEST).await.call;
        server.send(kind, flags, request, &payload).await;
        let status = bounded(call).await.unwrap_err();
        let code = if kind == 0x0F || kind == kind::CANCEL {
            Code::Unimplemented
        } else {
            Code::Internal
        };
        assert_eq!(status.code(), code, "{what}: {status}");
        assert!(!status.is_remote(), "{what}: {status}");
    }
    server.reply(open, &[9]).await;
    assert_eq!(bounded(beside).await.unwrap(), 9);
}

async fn a_bad_call_leaves_an_open_stream_alone(transport: &str) {
    let probing = Probing::on(transport).await;
    let mut items = probing.client.give(500, Then::End);
    for item in 0..500 {
        assert_eq!(bounded(items.next()).await.unwrap().unwrap(), item);
        if item % 50 == 0 {
            let unknown = probing.channel.call::<_, i64>("nothing", ());
            let status = bounded(unknown.into_future()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented);
            let wrong = probing
                .channel
                .call::<_, i64>("test.v1.Probe/add", ("a", "b"));
            let status = bounded(wrong.into_future()).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            let other = probing
                .channel
                .call::<_, String>("test.v1.Probe/add", (1, 2));
            assert_eq!(
                bounded(other.into_future()).await.unwrap_err().code(),
                Code::Internal
            );
        }
    }
    assert!(bounded(items.next()).await.is_none());
}

async fn a_bad_text_fails_itself(wire: &str) {
    let mut probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let hold = json_peer::call(1_000_000, "test.v1.Probe.hold", [(); 0]);
    client.send(&hold).await;
    probing.expect(&[Event::Started]).await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let take = json_peer::call(1, "test.v1.Probe.take", "VALUE").to_string();
    let take = take.replace("\"VALUE\"", &format!("[{deep}]"));
    let add =
        |params: serde_json::Value| json_peer::call(1, "test.v1.Probe.add", params).to_string();
    let mut bad: Vec<(Vec<u8>, Code)> = vec![
        (b"{".to_vec(), Code::InvalidArgument),
        (b"nonsense".to_vec(), Code::InvalidArgument),
        (b"17".to_vec(), Code::InvalidArgument),
        (
            br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#.to_vec(),
            Code::InvalidArgument,
        ),
        (
            br#"{"jsonrpc":"2.0","id":{},"method":"a"}"#.to_vec(),
            Code::InvalidArgument,
        ),
        (
            br#"{"jsonrpc":"2.0","id":1}"#.to_vec(),
            Code::InvalidArgument,
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_vec(),
            Code::InvalidArgument,
        ),
        (add(serde_json::json!(3)).into(), Code::InvalidArgument),
        (
            add(serde_json::json!(["a", "b"])).into(),
            Code::InvalidArgument,
        ),
        (add(serde_json::json!([1])).into(), Code::InvalidArgument),
        (
            add(serde_json::json!([1, 2, 3])).into(),
            Code::InvalidArgument,
        ),
        (
            add(serde_json::json!({"a": 1})).into(),
            Code::InvalidArgument,
        ),
        (take.into(), Code::InvalidArgument),
        (
            json_peer::call(1, "test.v1.Probe.none", [1])
                .to_string()
                .into(),
            Code::Unimplemented,
        ),
        (
            json_peer::call(1, "\u{1}", [1]).to_string().into(),
            Code::Unimplemented,
        ),
    ];
    // Of a text message that is no UTF-8 the WebSocket itself must be closed.
    if client.framing() != Framing::Messages {
        bad.push((b"{\"jsonrpc\":\"\xFF\"}".to_vec(), Code::InvalidArgument));
    }
    for (text, code) in bad {
        client.text(&text).await;
        let answer = client.next().await;
        let what = String::from_utf8_lossy(&text[..text.len().min(100)]);
        assert_eq!(json_peer::code(&answer), code, "{what}: {answer}");
        assert!(!json_peer::message(&answer).is_empty(), "{what}");
        let sum = client.call(9, "test.v1.Probe.add", (2, 3)).await;
        assert_eq!(sum["result"], 5, "after {what}");
    }
    probing.shared.gate.add_permits(1);
    let held = client.next().await;
    assert_eq!(
        (&held["id"], &held["result"]),
        (&1_000_000.into(), &7.into())
    );
    probing.quiet().await;
}

async fn a_text_that_does_not_become_whole_fails_itself(wire: &str) {
    let limits = Limits::new().message_timeout(Duration::from_millis(200));
    let mut probing = Probing::with(wire, |it| it.limits(limits), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let hold = json_peer::call(1, "test.v1.Probe.hold", [(); 0]);
    client.send(&hold).await;
    probing.expect(&[Event::Started]).await;
    let add = json_peer::call(2, "test.v1.Probe.add", (2, 3)).to_string();
    let framed = client.framing().frame(add.as_bytes());
    client.bytes(&framed[..20]).await;
    let refused = client.next().await;
    assert_eq!(json_peer::code(&refused), Code::DeadlineExceeded);
    assert!(
        json_peer::message(&refused).contains("message_timeout"),
        "{refused}"
    );
    // Nothing more is taken, and what runs is finished.
    client.bytes(&framed[20..]).await;
    probing.shared.gate.add_permits(1);
    let held = client.next().await;
    assert_eq!((&held["id"], &held["result"]), (&1.into(), &7.into()));
    assert_eq!(client.rest().await, Vec::<serde_json::Value>::new());
    probing.quiet().await;
}

async fn a_bad_answer_in_json_fails_its_call(wire: &'static str) {
    let (channel, mut server) = JsonServer::listen(wire).await.channel().await;
    let client = ProbeClient::new(channel);
    let beside = client.add(4, 5).start();
    let open = server.next().await["id"].clone();
    let deep = (0..100).fold(serde_json::Value::Null, |inner, _| {
        serde_json::json!([inner])
    });
    for result in [
        serde_json::json!("a"),
        serde_json::json!([1]),
        serde_json::json!(1e300),
        serde_json::json!(null),
        deep,
    ] {
        let call = client.add(1, 2).start();
        let id = server.next().await["id"].clone();
        // What belongs to no call is passed over.
        for stray in [
            serde_json::json!({}),
            serde_json::json!({"id": id}),
            json_peer::answer(&"x".into(), 1),
        ] {
            server.send(&stray).await;
        }
        server.send(&json_peer::answer(&id, &result)).await;
        let status = bounded(call).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{result}: {status}");
        assert!(!status.is_remote(), "{result}: {status}");
    }
    server.send(&json_peer::answer(&open, 9)).await;
    assert_eq!(bounded(beside).await.unwrap(), 9);
}

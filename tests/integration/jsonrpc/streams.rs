//! Streams as our client reads them: subscriptions, over TCP and WebSocket.

use std::future::IntoFuture;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use rpc_runtime::{Channel, Code, Limits, Server, Wire};
use rpc_tests::eventually_async;
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::over_websocket::{FeedClient, FeedServer, Served};

const PATIENCE: Duration = Duration::from_secs(20);

async fn serving(transport: &str) -> (Serving, Served) {
    let served = Served::default();
    let server = Server::new().add(FeedServer::new(served.clone()));
    let mut serving = serve(transport, server.accept([Wire::JsonRpc])).await;
    serving.url.insert_str(0, "jsonrpc+");
    (serving, served)
}

#[tokio::test]
async fn items_ends_and_failures_arrive() {
    for transport in ["tcp", "ws"] {
        let (serving, _) = serving(transport).await;
        let client = FeedClient::connect(&serving.url).await.unwrap();
        let items: Vec<u64> = client.count(3).try_collect().await.unwrap();
        assert_eq!(items, [0, 1, 2], "{transport}");
        let mut failing = client.count_and_fail(1);
        assert_eq!(failing.next().await.unwrap().unwrap(), 0);
        let status = failing.next().await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DataLoss, "no more")
        );
        assert!(status.to_string().contains(&serving.url), "{status}");
        assert!(failing.next().await.is_none());
        assert!(client.count(0).next().await.is_none(), "one without items");
        assert_eq!(client.add(2, 3).await.unwrap(), 5);
    }
}

#[tokio::test]
async fn what_opened_a_stream_counts_until_that_ends() {
    let limits = Limits::new().max_buffered(64 << 10);
    let server = Server::new().limits(limits).accept([Wire::JsonRpc]);
    let serving = serve("tcp", server.add(FeedServer::new(Served::default()))).await;
    let mut peer = JsonPeer::connect(&format!("jsonrpc+{}", serving.url)).await;
    // Each is a sixth of what may be held.
    let open = |method: &str, params: &Value| {
        let mut call = json_peer::call(1, &format!("test.v1.Feed/{method}"), params);
        call["beside"] = "x".repeat(10_000).into();
        call
    };
    for _ in 0..20 {
        peer.send(&open("count", &json!([0]))).await;
        assert!(peer.next().await["result"].is_string());
        assert!(peer.next().await["params"].is_object(), "the end");
    }
    let mut opened = 0;
    while opened < 20 {
        peer.send(&open("silence", &json!([]))).await;
        match peer.try_next().await {
            Some(answer) if answer["result"].is_string() => opened += 1,
            _ => break,
        }
    }
    assert!((5..=6).contains(&opened), "{opened} are open");
}

#[tokio::test]
async fn many_streams_and_calls_share_a_connection() {
    let (serving, _) = serving("ws").await;
    let client = FeedClient::connect(&serving.url).await.unwrap();
    let streams = (0..20).map(|_| client.count(2_000).try_collect::<Vec<_>>());
    let sums = (0..200).map(|n| client.add(n, 1).into_future());
    let both = futures_util::future::join(
        futures_util::future::join_all(streams),
        futures_util::future::join_all(sums),
    );
    let (streams, sums) = timeout(3 * PATIENCE, both).await.expect("it ends");
    let expected: Vec<u64> = (0..2_000).collect();
    assert!(streams.into_iter().all(|it| it.unwrap() == expected));
    assert!((1..).zip(sums).all(|(n, sum)| sum.unwrap() == n));
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_ended() {
    for transport in ["tcp", "ws"] {
        let (serving, served) = serving(transport).await;
        let client = FeedClient::connect(&serving.url).await.unwrap();
        let mut flow = client.flow(10);
        assert_eq!(flow.next().await.unwrap().unwrap().len(), 10);
        assert_eq!(served.open.load(Ordering::SeqCst), 1);
        drop(flow);
        eventually_async("the stream is dropped", async || {
            served.open.load(Ordering::SeqCst) == 0
        })
        .await;
        assert_eq!(client.add(2, 3).await.unwrap(), 5);
        let late = client.flow(10).timeout(Duration::from_millis(100));
        let late = late.try_for_each(|_| async { Ok(()) }).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        eventually_async("one that is late is dropped", async || {
            served.open.load(Ordering::SeqCst) == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_ended_in_a_drain_too() {
    for transport in ["tcp", "ws"] {
        let (mut serving, served) = serving(transport).await;
        let client = FeedClient::connect(&serving.url).await.unwrap();
        let mut flow = client.flow(10);
        assert_eq!(flow.next().await.unwrap().unwrap().len(), 10);
        serving.stop.shutdown();
        // Nothing new is taken any more.
        eventually_async("it drains", async || client.add(2, 3).await.is_err()).await;
        assert_eq!(served.open.load(Ordering::SeqCst), 1);
        drop(flow);
        let ended = timeout(Duration::from_secs(5), &mut serving.task).await;
        let ended = ended.unwrap_or_else(|_| panic!("{transport}: it waits for nobody"));
        ended.unwrap().unwrap();
        assert_eq!(served.open.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_reader_that_is_slow_slows_the_server_and_loses_nothing() {
    let (serving, served) = serving("ws").await;
    let client = FeedClient::connect(&serving.url).await.unwrap();
    let mut flow = client.flow(1_000);
    flow.next().await.unwrap().unwrap();
    let made = async || {
        let before = served.made.load(Ordering::SeqCst);
        sleep(Duration::from_millis(300)).await;
        served.made.load(Ordering::SeqCst) == before
    };
    eventually_async("no more is made than can be read", made).await;
    let stands_at = served.made.load(Ordering::SeqCst);
    assert!(stands_at < 50_000, "{stands_at} items of 1000 bytes wait");
    // Whoever calls is not held up, and neither is the reader that calls for each item.
    for _ in 0..20 {
        flow.next().await.unwrap().unwrap();
        let added = timeout(PATIENCE, client.add(2, 3).into_future()).await;
        assert_eq!(added.expect("it passes").unwrap(), 5);
    }
    eventually_async("it goes on", async || {
        served.made.load(Ordering::SeqCst) > stands_at
    })
    .await;
    drop(flow);
    let mut count = client.count(100_000);
    for expected in 0..100_000 {
        if expected % 25_000 == 10_000 {
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(count.next().await.unwrap().unwrap(), expected);
    }
    assert!(count.next().await.is_none());
}

#[tokio::test]
async fn a_reader_that_is_gone_for_long_loses_its_stream_alone() {
    let (serving, served) = serving("ws").await;
    let connect = Channel::connect(&serving.url).keepalive(PATIENCE, Duration::from_millis(400));
    let limits = Limits::new().stream_window(10_000);
    let client = FeedClient::new(connect.limits(limits).await.unwrap());
    let mut flow = client.flow(1_000);
    flow.next().await.unwrap().unwrap();
    eventually_async("the stream is ended", async || {
        served.open.load(Ordering::SeqCst) == 0
    })
    .await;
    assert_eq!(client.add(2, 3).await.unwrap(), 5);
    let ended = loop {
        match flow.next().await.expect("it does not end well") {
            Ok(item) => assert_eq!(item.len(), 1_000),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::ResourceExhausted);
    assert!(ended.to_string().contains("`stream_window`"), "{ended}");
}

#[tokio::test]
async fn what_waits_for_readers_is_bounded_while_others_wait() {
    let (serving, served) = serving("ws").await;
    let limits = Limits::new().stream_window(10_000).max_buffered(1 << 20);
    let channel = Channel::connect(&serving.url).limits(limits).await.unwrap();
    let client = FeedClient::new(channel);
    // Its reader waits for ever, and so nothing may be held up.
    let mut silent = client.silence();
    let waiting = tokio::spawn(async move { silent.next().await });
    let mut flow = client.flow(1_000);
    flow.next().await.unwrap().unwrap();
    eventually_async("the stream is ended", async || {
        served.open.load(Ordering::SeqCst) == 1
    })
    .await;
    let ended = loop {
        if let Err(status) = flow.next().await.expect("it does not end well") {
            break status;
        }
    };
    assert_eq!(ended.code(), Code::ResourceExhausted);
    assert!(ended.to_string().contains("`max_buffered`"), "{ended}");
    assert_eq!(client.add(2, 3).await.unwrap(), 5);
    waiting.abort();
}

#[tokio::test]
async fn a_stream_by_its_name_alone_is_one_where_the_name_says_so() {
    let (serving, _) = serving("ws").await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let heads = channel.call_stream::<_, Value>("eth_subscribe", ("newHeads",));
    let heads: Vec<Value> = heads.take(2).try_collect().await.unwrap();
    assert_eq!(heads, [json!({"number": "0x1"}), json!({"number": "0x2"})]);
    let sum = channel.call_stream::<_, i64>("add", (2, 3));
    let sum: Vec<i64> = sum.try_collect().await.unwrap();
    assert_eq!(sum, [5], "a method without a stream answers with one value");
}

/// What others write differently.
#[tokio::test]
async fn ids_and_ends_have_every_form() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("jsonrpc+tcp://{}", listener.local_addr().unwrap());
    let channel = Channel::connect(url).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    let mut peer = BufReader::new(peer);
    for (id, end, code) in [
        ("17", r#""error":null"#, None),
        (
            r#""a\u00e9""#,
            r#""error":{"code":-32014,"message":"x"}"#,
            Some(Code::Unavailable),
        ),
        (
            "18446744073709551616",
            r#""error":"boom""#,
            Some(Code::Unknown),
        ),
    ] {
        let stream = channel.call_stream::<_, Value>("chain_subscribeNewHeads", ());
        let reading = tokio::spawn(stream.collect::<Vec<_>>());
        let mut line = String::new();
        peer.read_line(&mut line).await.unwrap();
        let call: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(call["method"], "chain_subscribeNewHeads");
        let answer = json!({"jsonrpc": "2.0", "result": 0, "id": call["id"]}).to_string();
        let answer = answer.replace("\"result\":0", &format!("\"result\":{id}"));
        let notice = |what: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"chain_newHead","params":{{"subscription":{id},{what}}}}}"#
            )
        };
        // All at once, so that items are there before the caller looks.
        let all = [
            answer,
            notice(r#""result":null"#),
            notice(r#""result":{"a":1}"#),
            r#"{"method":"x","params":{"subscription":99,"result":1}}"#.to_owned(),
            notice(end),
            notice(r#""result":"late""#),
        ];
        peer.write_all((all.join("\n") + "\n").as_bytes())
            .await
            .unwrap();
        let mut items = timeout(PATIENCE, reading).await.expect("it ends").unwrap();
        let failed = code.map(|_| items.pop().expect("a failure").unwrap_err().code());
        assert_eq!(failed, code, "{id}");
        let items: Vec<Value> = items.into_iter().map(Result::unwrap).collect();
        assert_eq!(items, [Value::Null, json!({"a": 1})], "{id}");
    }
    // The answer comes when nobody waits for it any more: the stream is ended by its own name for that.
    let late = channel.call_stream::<_, Value>("eth_subscribe", ());
    let mut late = late.timeout(Duration::from_millis(50));
    assert_eq!(
        late.next().await.unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
    let mut line = String::new();
    peer.read_line(&mut line).await.unwrap();
    let call: Value = serde_json::from_str(&line).unwrap();
    let answer = json!({"jsonrpc": "2.0", "result": "0x7", "id": call["id"]});
    peer.write_all(format!("{answer}\n").as_bytes())
        .await
        .unwrap();
    line.clear();
    let read = timeout(PATIENCE, peer.read_line(&mut line)).await;
    read.expect("it is ended").unwrap();
    let call: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&call["method"], &call["params"]),
        (&json!("eth_unsubscribe"), &json!(["0x7"]))
    );
    // A stream fails with its connection, and the next call makes another.
    let stream = channel.call_stream::<_, Value>("eth_subscribe", ());
    let reading = tokio::spawn(stream.collect::<Vec<_>>());
    line.clear();
    peer.read_line(&mut line).await.unwrap();
    let call: Value = serde_json::from_str(&line).unwrap();
    let answer = json!({"jsonrpc": "2.0", "result": "0x8", "id": call["id"]});
    peer.write_all(format!("{answer}\n").as_bytes())
        .await
        .unwrap();
    drop(peer);
    let items = timeout(PATIENCE, reading).await.expect("it ends").unwrap();
    let [Err(status)] = &items[..] else {
        panic!("{items:?}");
    };
    assert_eq!(status.code(), Code::Unavailable);
    let call = tokio::spawn(channel.call::<_, i64>("sum", (1,)).into_future());
    assert!(timeout(PATIENCE, listener.accept()).await.is_ok());
    call.abort();
}

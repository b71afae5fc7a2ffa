//! What can be set on a call, and what a call is made into.

use std::time::Duration;

use futures_util::StreamExt as _;
use rpc_runtime::http::{HeaderName, HeaderValue};
use rpc_runtime::{
    Channel, Code, Context, Reply, Response, Router, Server, Status, batch, service_fn,
};
use rpc_tests::math::{Calculator, MathClient, MathError, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};
use tokio::time::timeout;

fn context() -> Context {
    Context::current().expect("a handler runs inside its call")
}

#[track_caller]
fn assert_is_of_ann(reply: &Reply<String>) {
    assert_eq!(reply.value, "ann");
    assert_eq!(reply.metadata["served-by"], "calculator");
    assert_eq!(reply.trailers["seen"], "yes");
}

#[tokio::test]
async fn a_call_with_its_reply_is_awaited_started_and_part_of_a_batch() {
    for transport in TRANSPORTS {
        let server = Server::new().add(MathServer::new(Calculator::new()));
        let serving = serve(transport, server).await;
        let math = MathClient::connect(&serving.url).await.unwrap();
        let who = || math.who().metadata("name", "ann").with_reply();
        assert_is_of_ann(&who().await.unwrap());
        assert_is_of_ann(&who().start().await.unwrap());
        let (who_reply, sum) = batch((who(), math.add(2, 3))).await;
        assert_is_of_ann(&who_reply.unwrap());
        assert_eq!(sum.unwrap(), 5);
        for reply in batch(vec![who(), who()]).await {
            assert_is_of_ann(&reply.unwrap());
        }
        for refused in batch(vec![who(), who()]).max_calls(1).await {
            let status = refused.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert_eq!(status.method(), Some("test.v1.Math/who"));
        }
        let error = math.divide(1.0, 0.0).with_reply().await.unwrap_err();
        assert!(matches!(
            error.app(),
            Some(MathError::DivisionByZero { .. })
        ));
        assert_eq!(error.code(), Code::InvalidArgument);
        let waiting = std::thread::spawn({
            let call = who();
            move || call.wait()
        });
        let waited = tokio::task::spawn_blocking(|| waiting.join().unwrap()).await;
        assert_is_of_ann(&waited.unwrap().unwrap());
    }
}

#[tokio::test]
async fn metadata_is_text_numbers_and_header_types_on_both_sides() {
    let router = Router::new()
        .function("back", || async {
            let context = context();
            context.add_reply_metadata("text", "a");
            context.add_reply_metadata(HeaderName::from_static("typed"), String::from("b"));
            context.add_trailer(String::from("number"), 7_u64);
            context.add_trailer("bytes", HeaderValue::from_bytes(b"\xFF").unwrap());
            let sent = context.metadata().get_all("sent").into_iter();
            sent.map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>()
        })
        .function("bad-name", || async {
            context().add_reply_metadata("a b", "c")
        })
        .function("bad-value", || async {
            context().add_trailer("secret", "a\nb")
        });
    let serving = serve("tcp", Server::new().router(router)).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let back = channel
        .call::<_, Vec<Vec<u8>>>("back", ())
        .metadata("sent", "text")
        .metadata(HeaderName::from_static("sent"), 8_u32)
        .metadata(
            String::from("sent"),
            HeaderValue::from_bytes(b"\xFE").unwrap(),
        );
    let reply = back.with_reply().await.unwrap();
    assert_eq!(reply.value, [&b"text"[..], b"8", b"\xFE"]);
    assert_eq!(reply.metadata["text"], "a");
    assert_eq!(reply.metadata["typed"], "b");
    assert_eq!(reply.trailers["number"], "7");
    assert_eq!(reply.trailers["bytes"].as_bytes(), b"\xFF");

    for bad in ["bad-name", "bad-value"] {
        let status = channel.call::<_, ()>(bad, ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("metadata"), "{status}");
    }
    for (name, value, text) in [("a b", "c", "`a b`"), ("secret", "a\nb", "`secret`")] {
        let call = channel.call::<_, ()>("back", ()).metadata(name, value);
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(text), "{status}");
        assert!(!status.to_string().contains("a\\nb"), "{status}");
    }
}

#[tokio::test]
async fn a_stream_is_accepted_no_later_than_its_first_item_may_come() {
    let silent = service_fn(|_| std::future::pending::<Result<Response, Status>>());
    let items = Channel::new(silent).call_stream::<_, u64>("silent", ());
    let mut items = items.first_item_timeout(Duration::from_millis(20));
    let accepted = timeout(Duration::from_secs(10), items.accepted()).await;
    let status = accepted.expect("it ends in time").unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().contains("first item"), "{status}");
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_set_up_too_late_fails() {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let serving = serve("tcp", server).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    let late = Duration::from_secs(9);
    let started = math.count(3).start().timeout(late);
    let mut read = math.count(3);
    assert_eq!(read.next().await.unwrap().unwrap(), 0);
    let read = read.first_item_timeout(late);
    let mut accepted = math.count(3);
    accepted.accepted().await.unwrap();
    let accepted = accepted.metadata("late", "yes");
    for stream in [started, read, accepted] {
        let items: Vec<Result<u64, Status>> = stream.collect().await;
        let [Err(status)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.method(), Some("test.v1.Math/count"));
    }
    // Nothing is left that a setting could change.
    let mut ended = math.count(0);
    assert!(ended.next().await.is_none());
    assert!(ended.timeout(late).next().await.is_none());
}

#[tokio::test]
async fn a_call_that_is_refused_was_not_started() {
    let server = Server::new()
        .add(MathServer::new(Calculator::new()))
        .max_calls_total(0);
    let serving = serve("tcp", server).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    let refused = math.add(1, 2).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.is_not_started());
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let serving = serve("tcp", server).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    assert!(!math.panic().await.unwrap_err().is_not_started());
}

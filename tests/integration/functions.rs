//! Functions by name, and typed services called by name.

use rpc_runtime::{Channel, Code, Context, Router, Server, Status};
use rpc_tests::math::{Calculator, Line, MathClient, MathError, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};
use serde_json::json;

fn server() -> Server {
    Server::new()
        .add(MathServer::new(Calculator::new()))
        .function(
            "hello",
            |name: String| async move { format!("Hello, {name}!") },
        )
        .function("now", || async { 42_u64 })
        .try_function("half", |n: i64| async move {
            if n % 2 == 0 {
                Ok(n / 2)
            } else {
                Err(Status::invalid_argument("odd"))
            }
        })
}

#[tokio::test]
async fn functions_and_methods_are_called_by_name() {
    for transport in TRANSPORTS {
        let serving = serve(transport, server()).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        assert_eq!(
            channel.call::<_, String>("hello", ("Ann",)).await.unwrap(),
            "Hello, Ann!"
        );
        assert_eq!(channel.call::<_, u64>("now", ()).await.unwrap(), 42);
        assert_eq!(channel.call::<_, i64>("half", (8,)).await.unwrap(), 4);
        let status = channel.call::<_, i64>("half", (7,)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "odd")
        );
        let sum = channel.call::<_, i64>("test.v1.Math/add", (2, 3));
        assert_eq!(sum.await.unwrap(), 5);
        let sum = channel.call::<_, i64>("test.v1.Math/add", json!({"b": 3, "a": 2, "c": 9}));
        assert_eq!(sum.await.unwrap(), 5);
        let mut count = channel.call_stream::<_, u64>("test.v1.Math/count", (2,));
        assert_eq!(count.next().await.unwrap().unwrap(), 0);
        assert_eq!(count.next().await.unwrap().unwrap(), 1);
        assert!(count.next().await.is_none());
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let serving = serve("tcp", server()).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let cases = [
        ("nope", json!([]), Code::Unimplemented, "`nope`"),
        (
            "test.v1.Math/nope",
            json!([]),
            Code::Unimplemented,
            "no method `nope`",
        ),
        (
            "other.Service/add",
            json!([]),
            Code::Unimplemented,
            "`other.Service`",
        ),
        (
            "Hallo",
            json!([]),
            Code::Unimplemented,
            "no function `Hallo` is served here, did you mean `hello`?",
        ),
        (
            "Math/ad",
            json!([]),
            Code::Unimplemented,
            "did you mean `test.v1.Math/add`?",
        ),
        (
            "test.v1.Math/count_than_fail",
            json!([]),
            Code::Unimplemented,
            "has no method `count_than_fail`, did you mean `test.v1.Math/count_then_fail`?",
        ),
        ("hello", json!([]), Code::InvalidArgument, "argument"),
        (
            "test.v1.Math/add",
            json!({"a": 1}),
            Code::InvalidArgument,
            "`b`",
        ),
        (
            "test.v1.Math/add",
            json!({"a": 1, "b": "x"}),
            Code::InvalidArgument,
            "`b`",
        ),
    ];
    for (method, args, code, text) in cases {
        let status = channel.call::<_, i64>(method, args).await.unwrap_err();
        assert_eq!(status.code(), code, "{method}: {status}");
        assert!(status.message().contains(text), "{method}: {status}");
        assert_eq!(status.method(), Some(method));
        assert!(
            status.peer().is_some_and(|it| it.starts_with("tcp://")),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_method_that_streams_is_not_called_for_one_value() {
    let serving = serve("tcp", server()).await;
    let remote = Channel::connect(&serving.url).await.unwrap();
    let local = Channel::new(MathServer::new(Calculator::new()));
    // Through a gateway, which knows nothing of the service.
    let gateway = serve("tcp", Server::new().fallback(remote.clone())).await;
    let behind = Channel::connect(&gateway.url).await.unwrap();
    for channel in [remote, local, behind] {
        // Exactly one item, which would pass for a value.
        let status = channel.call::<_, u64>("test.v1.Math/count", (1,)).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        let expected = "`test.v1.Math/count` is a server-streaming method: use `call_stream`";
        assert_eq!(status.message(), expected);
        let status = channel.call::<_, i64>("test.v1.Math/sum", (1,)).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("client-streaming"), "{status}");
        let mut chat = channel.call_stream::<_, Line>("test.v1.Math/chat", ("room",));
        let status = chat.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("bidirectional"), "{status}");
        let mut sum = channel.call_stream::<_, i64>("test.v1.Math/add", (1, 2));
        assert_eq!(sum.next().await.unwrap().unwrap(), 3);
    }
}

#[tokio::test]
async fn handlers_do_not_see_what_a_caller_by_name_expected() {
    let seen = || async { Context::current().unwrap().metadata().len() };
    let channel = Channel::new(Router::new().function("seen", seen));
    let call = channel.call::<_, usize>("seen", ());
    assert_eq!(call.metadata("name", "Ann").await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_alone_names_the_nearest_method_and_little_of_a_long_name() {
    let channel = Channel::new(MathServer::new(Calculator::new()));
    let status = channel.call::<_, i64>("Math/ad", (1, 2)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let meant = "did you mean `test.v1.Math/add`?";
    assert!(status.message().ends_with(meant), "{status}");
    let long = "x".repeat(100_000);
    let router = Channel::new(Router::new().function("x", || async {}));
    for channel in [channel, router] {
        let status = channel.call::<_, ()>(&long, ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().len() < 512, "{status}");
    }
}

#[tokio::test]
async fn a_value_of_the_server_reaches_every_call() {
    #[derive(Clone)]
    struct Region(&'static str);
    let region = || async {
        let context = Context::current().unwrap();
        context.extension::<Region>().unwrap().0.to_owned()
    };
    let server = Server::new()
        .function("region", region)
        .extension(Region("north"));
    let serving = serve("tcp", server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    assert_eq!(
        channel.call::<_, String>("region", ()).await.unwrap(),
        "north"
    );
}

#[tokio::test]
async fn another_servers_own_error_passes_a_question_mark_without_its_words() {
    let behind = serve("tcp", server()).await;
    let math = MathClient::connect(&behind.url).await.unwrap();
    let error = math.divide(1.0, 0.0).await.unwrap_err();
    assert_eq!(
        error.into_app().unwrap(),
        MathError::DivisionByZero { dividend: 1.0 }
    );
    let ask = move || {
        let math = math.clone();
        async move { Ok::<f64, Status>(math.divide(1.0, 0.0).await?) }
    };
    let front = serve("tcp", Server::new().try_function("ask", ask)).await;
    let channel = Channel::connect(&front.url).await.unwrap();
    let status = channel.call::<_, f64>("ask", ()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("divide"), "{status}");
}

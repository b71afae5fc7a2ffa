//! Sessions, in texts.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Semaphore, oneshot};

use super::session::Session;
use super::text::Text;
use super::{Dialect, Dialects, serve};
use crate::call::{Body, BodyFrame, ConnectionInfo, Request, Response, ValueMessage};
use crate::codec::Serde;
use crate::server::Router;
use crate::service::{BoxService, service_fn};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::Draining;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, RunningCalls, Served};
use crate::{Limits, from_fn};

fn router() -> Router {
    Router::new()
        .function("sum", |a: i64, b: i64, c: i64| async move { a + b + c })
        .function("update", |_: Value| async {})
        .function("echo", |value: Value| async move { value })
        .function("big", |number: u64| async move { number })
        .function("huge", |number: i128| async move { number })
        .function("half", |number: f64| async move { number / 2.0 })
        .function("slow", |milliseconds: u64| async move {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            milliseconds
        })
        .function("panics", |yes: bool| async move { assert!(!yes) })
        .try_function("fails", |code: u8| async move {
            Err::<(), _>(Status::new(crate::Code::from_number(code), "as asked"))
        })
}

/// What a connection serves.
pub(super) fn served() -> Served {
    Served {
        service: BoxService::new(router()).layer(from_fn(|request, next| async move {
            if request.method().name() == "secret" {
                return Err(Status::unauthenticated("who are you"));
            }
            next.call(request).await
        })),
        methods: Arc::new(router()),
        running: RunningCalls::new(1_000),
        extensions: http::Extensions::new(),
    }
}

pub(super) struct Here {
    session: Arc<Session>,
    budget: Arc<Budget>,
    running: Arc<RunningCalls>,
}

impl Here {
    pub(super) fn new() -> Self {
        Self::limited(Limits::default())
    }

    fn limited(limits: Limits) -> Self {
        Self::serving(limits, served())
    }

    fn serving(limits: Limits, served: Served) -> Self {
        let config = Arc::new(Config {
            limits,
            ..Config::default()
        });
        let info = Arc::new(ConnectionInfo::new("mem:".into(), http::Extensions::new()));
        let budget = Arc::new(Budget::new(config.limits.max_buffered, None));
        Self {
            session: Session::new(Dialect::JSON_RPC, &config, &served, &info, &budget),
            budget,
            running: served.running,
        }
    }

    pub(super) async fn text(&self, text: impl Into<Vec<u8>>) -> Option<Vec<u8>> {
        let text = Bytes::from(text.into());
        let answer = Arc::clone(&self.session).answer(text).await;
        let answer = answer.map(|it| it.bytes.to_vec());
        assert_eq!(self.budget.used(), 0, "everything was given back");
        assert_eq!(self.running.count(), 0, "every call is over");
        answer
    }

    async fn answer(&self, text: impl Into<Vec<u8>>) -> Value {
        let answer = self.text(text).await.expect("there is an answer");
        serde_json::from_slice(&answer).expect("the answer is JSON")
    }

    async fn code(&self, text: impl Into<Vec<u8>>) -> i64 {
        let answer = self.answer(text).await;
        answer["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer} is a failure"))
    }
}

/// Each call has a future of its own, in memory that is taken and given back.
#[tokio::test]
async fn what_a_call_needs_while_it_runs_is_small() {
    let here = Here::new();
    let future = Arc::clone(&here.session).answer(Bytes::new());
    let size = size_of_val(&future);
    assert!(size <= 768, "{size} bytes");
}

#[tokio::test]
async fn ids_come_back_with_every_digit() {
    let here = Here::new();
    for id in [
        "1",
        "-1",
        "0",
        "1.5",
        "1e400",
        "null",
        "\"\"",
        "\"\\u00e9 \\\"x\\\"\"",
        "123456789012345678901234567890",
        "0.1000",
        "\"1\"",
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":{id}}}"#);
        let answer = here.text(text).await.unwrap();
        let expected = format!(r#"{{"jsonrpc":"2.0","result":6,"id":{id}}}"#);
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    }
    for id in ["true", "[]", "{}", &format!("\"{}\"", "x".repeat(2_000))] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":{id}}}"#);
        let answer = here.answer(text).await;
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["id"], Value::Null);
    }
}

#[tokio::test]
async fn what_is_no_call_is_an_invalid_request() {
    let here = Here::new();
    for text in [
        r#"{}"#,
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"method":"sum","params":[1,2,3],"id":1}"#,
        r#"{"jsonrpc":"1.0","method":"sum","params":[1,2,3],"id":1}"#,
        r#"{"jsonrpc":2.0,"method":"sum","params":[1,2,3],"id":1}"#,
        r#"{"jsonrpc":"2.0","method":null,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":["sum"],"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"\ud800","id":1}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":6,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":"abc","id":1}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":true,"id":1}"#,
        r#"{"jsonrpc":"2.0","result":6,"id":1}"#,
        r#"{"method":"sum","params":[1,2,3],"kwargs":{}}"#,
        r#"{"jsonrpc":"2.0","method":"sum","method":"sub","id":1}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"params":[4,5,6],"id":1}"#,
        "1",
        "\"text\"",
        "null",
        "true",
        "[]",
        " [ ] ",
    ] {
        assert_eq!(here.code(text).await, -32600, "{text}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_a_parse_error() {
    let here = Here::new();
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1,",
        "{\"jsonrpc\":\"2.0\"",
        "nul",
        "{'a':1}",
        "{\"a\":1}}",
        "[1]]",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\":\"\n\"}",
        "\u{FEFF}{}",
    ] {
        assert_eq!(here.code(text).await, -32700, "{text}");
    }
    let broken = b"{\"jsonrpc\":\"2.0\",\"method\":\"\xC3\x28\",\"id\":1}";
    assert_eq!(here.code(broken.as_slice()).await, -32700);
}

#[tokio::test]
async fn numbers_arrive_whole_or_not_at_all() {
    let here = Here::new();
    let call = |method: &str, number: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":[{number}],"id":1}}"#)
    };
    for (method, number) in [
        ("big", "18446744073709551615"),
        ("big", "9007199254740993"),
        ("huge", "-170141183460469231731687303715884105728"),
        ("half", "3.0"),
    ] {
        let answer = here.text(call(method, number)).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let expected = if method == "half" { "1.5" } else { number };
        assert!(
            answer.contains(&format!("\"result\":{expected}")),
            "{answer}"
        );
    }
    for (method, number) in [
        ("big", "18446744073709551616"),
        ("big", "-1"),
        ("big", "1.5"),
        ("big", "1e3"),
        ("huge", "170141183460469231731687303715884105728"),
        ("half", "1e400"),
        ("echo", "1e400"),
    ] {
        assert_eq!(
            here.code(call(method, number)).await,
            -32602,
            "{method} {number}"
        );
    }
}

#[tokio::test]
async fn every_code_is_said_by_its_number() {
    let here = Here::new();
    for (code, number) in [
        (1, -32001),
        (2, -32002),
        (3, -32602),
        (4, -32004),
        (5, -32005),
        (12, -32601),
        (13, -32603),
        (14, -32014),
        (16, -32016),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"fails","params":[{code}],"id":1}}"#);
        let answer = here.answer(text).await;
        let expected = json!({ "code": number, "message": "as asked" });
        assert_eq!(answer["error"], expected);
    }
    let secret = r#"{"jsonrpc":"2.0","method":"secret","id":1}"#;
    assert_eq!(
        here.code(secret).await,
        -32016,
        "a layer comes before `Method not found`"
    );
    let panics = r#"{"jsonrpc":"2.0","method":"panics","params":[true],"id":1}"#;
    assert_eq!(here.code(panics).await, -32603);
}

#[tokio::test]
async fn a_batch_is_its_calls() {
    let here = Here::new();
    let calls = [
        r#"{"jsonrpc":"2.0","method":"slow","params":[20],"id":0}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":{"a":1,"b":2,"c":3},"id":"2"}"#,
        r#"{"jsonrpc":"2.0","method":"sum","params":[1],"id":3}"#,
        r#"{"jsonrpc":"2.0","method":"secret","id":4}"#,
        r#"{"jsonrpc":"2.0","method":"panics","params":[true],"id":5}"#,
        r#"{"jsonrpc":"2.0","method":"update","params":[1]}"#,
        r#"{"jsonrpc":"2.0","method":"slow","params":[1],"id":7}"#,
        "{}",
    ];
    let mut singly = Vec::new();
    for call in calls {
        singly.extend(here.text(call).await);
    }
    let expected = format!("[{}]", String::from_utf8(singly.join(&b',')).unwrap());
    let batch = here.text(format!("[{}]", calls.join(" , "))).await.unwrap();
    assert_eq!(String::from_utf8(batch).unwrap(), expected);
}

#[tokio::test]
async fn a_batch_is_bounded_in_items_in_calls_and_in_what_it_answers() {
    let here = Here::limited(
        Limits::new()
            .max_batch(10)
            .max_calls(5)
            .max_message(1 << 10),
    );
    let sum = r#"{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":1}"#;
    let batch = |item: &str, items: usize| format!("[{}]", vec![item; items].join(","));
    assert_eq!(
        here.answer(batch(sum, 10)).await.as_array().unwrap().len(),
        10
    );
    let answer = here.answer(batch(sum, 11)).await;
    assert_eq!(answer["error"]["code"], -32008);
    let text = answer["error"]["message"].as_str().unwrap();
    assert!(text.contains("`max_batch` of 10"), "{text}");
    assert_eq!(here.code(format!("[{}", "1,".repeat(10_000))).await, -32700);
    // As many calls as items run at once, and each needs a place.
    let slow = r#"{"jsonrpc":"2.0","method":"slow","params":[5],"id":1}"#;
    let answers = here.answer(batch(slow, 7)).await;
    let codes: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["error"]["code"])
        .collect();
    assert_eq!(
        codes.iter().filter(|it| it.is_null()).count(),
        5,
        "{answers}"
    );
    assert_eq!(
        codes.iter().filter(|it| **it == -32008).count(),
        2,
        "{answers}"
    );
    let echo = format!(
        r#"{{"jsonrpc":"2.0","method":"echo","params":["{}"],"id":1}}"#,
        "x".repeat(400)
    );
    let answers = here.answer(batch(&echo, 4)).await;
    let answers = answers.as_array().unwrap();
    let whole = answers.iter().filter(|it| it["result"].is_string()).count();
    assert_eq!((whole, answers.len()), (2, 4), "{answers:?}");
    let echo = format!(
        r#"{{"jsonrpc":"2.0","method":"echo","params":["{}"],"id":1}}"#,
        "x".repeat(1_000)
    );
    assert_eq!(here.code(echo).await, -32008);
}

/// What a gateway passes on may come in pieces; the call is open until they are all there.
#[tokio::test]
async fn an_answer_in_pieces_keeps_its_place_until_it_is_whole() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let service = service_fn(move |_: Request| {
        let gate = Arc::clone(&gate);
        let piece = async move {
            gate.acquire().await.expect("nobody closes it").forget();
            Ok(BodyFrame::Message(ValueMessage::<Serde, u64>::wrap(6)))
        };
        async move { Ok(Response::new(Body::stream(stream::once(piece)))) }
    });
    let served = Served {
        service: BoxService::new(service),
        ..served()
    };
    let here = Here::serving(Limits::new().max_calls(1), served);
    let call = || {
        let text = r#"{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":1}"#;
        Arc::clone(&here.session).answer(Bytes::from(text))
    };
    let text = |answer: Option<Text>| {
        let answer = answer.expect("there is an answer");
        String::from_utf8_lossy(&answer.bytes).into_owned()
    };
    let mut first = Box::pin(call());
    for _ in 0..3 {
        assert!(first.as_mut().now_or_never().is_none());
        let refused = text(call().await);
        assert!(refused.contains("-32008"), "{refused}");
        assert!(refused.contains("`max_calls`"), "{refused}");
    }
    opened.add_permits(2);
    let expected = r#"{"jsonrpc":"2.0","result":6,"id":1}"#;
    assert_eq!(text(first.await), expected);
    assert_eq!(text(call().await), expected);
    assert_eq!(here.running.count(), 0);
}

#[tokio::test]
async fn depth_is_bounded_for_the_call_alone() {
    let here = Here::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(
        r#"[{{"jsonrpc":"2.0","method":"echo","params":{deep},"id":1}},
        {{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":2}}]"#
    );
    let answers = here.answer(text).await;
    assert_eq!(answers[0]["error"]["code"], -32602);
    assert!(
        answers[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("max_depth")
    );
    assert_eq!(answers[1]["result"], 6);
}

#[tokio::test]
async fn a_session_that_closes_takes_no_calls() {
    let here = Here::new();
    here.session.close();
    let sum = r#"{"jsonrpc":"2.0","method":"sum","params":[1,2,3],"id":1}"#;
    assert_eq!(here.code(sum).await, -32014);
}

/// Else a peer would have nothing to do until all that it sent was worked off, and this side nothing then.
#[tokio::test(start_paused = true)]
async fn answers_leave_while_more_of_the_same_read_is_worked_off() {
    const CALLS: u64 = 64;
    let (peer, io) = tokio::io::duplex(1 << 20);
    let (told, heard) = oneshot::channel();
    let shared = Arc::new(Mutex::new((peer, Some(told))));
    let look = move |number: u64, text: String| {
        let mut room = [0; 64 << 10];
        let mut came = ReadBuf::new(&mut room);
        let (peer, told) = &mut *shared.lock().unwrap();
        if number + 1 == CALLS
            && let Some(told) = told.take()
        {
            let mut cx = TaskContext::from_waker(Waker::noop());
            let _ = Pin::new(peer).poll_read(&mut cx, &mut came);
            let lines = came.filled().iter().filter(|it| **it == b'\n').count();
            told.send(lines).unwrap();
        }
        async move { text }
    };
    let router = || Router::new().function("look", look.clone());
    let served = Served {
        service: BoxService::new(router()),
        methods: Arc::new(router()),
        running: RunningCalls::new(1_000),
        extensions: http::Extensions::new(),
    };
    let mut received = BytesMut::new();
    for id in 0..CALLS {
        let text = "x".repeat(200);
        let call = json!({ "jsonrpc": "2.0", "method": "look", "params": [id, text], "id": id });
        received.extend_from_slice(format!("{call}\n").as_bytes());
    }
    let config = Arc::new(Config::default());
    let serving = serve(
        Io::new(io),
        received,
        Dialects::JsonRpc,
        config,
        served,
        Draining::default(),
    );
    let serving = tokio::spawn(serving);
    let answered = heard.await.unwrap();
    assert!(
        (32..CALLS as usize).contains(&answered),
        "{answered} answers"
    );
    serving.abort();
}

//! The cases as our client makes them. They panic where the server is not as it should be.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rpc_runtime::{Channel, Code, Status};
use tokio::sync::mpsc;

use crate::schema::{Answer, Ask, MatrixClient};
use crate::service::{ASKED, ASKED_BINARY, DETAILS, HEAD, TAIL, TAIL_BINARY};

pub(crate) const ALL: [&str; 16] = [
    "unary",
    "unary_large",
    "unary_read",
    "unary_fails",
    "unary_fails_with_details",
    "unary_times_out",
    "unary_is_unknown",
    "download",
    "download_of_nothing",
    "download_fails",
    "download_is_dropped",
    "download_times_out",
    "upload",
    "upload_fails",
    "chat",
    "chat_in_turns",
];

const SHORT: Duration = Duration::from_millis(50);

/// `is_both_ways` says that both directions of a call can be open at once.
pub(crate) async fn run(case: &'static str, channel: Channel, is_both_ways: bool) {
    let client = MatrixClient::new(channel.clone());
    match case {
        "chat" | "chat_in_turns" if !is_both_ways => chat_is_refused(&client).await,
        "unary" => unary(&client).await,
        "unary_large" => {
            let answer = client
                .unary(Ask {
                    size: 200_000,
                    ..ask()
                })
                .await
                .expect("an answer");
            assert_eq!(answer.body, vec![7; 200_000]);
        }
        "unary_read" => assert_good(&client.read(ask()).await.expect("an answer")),
        "unary_fails" => {
            for code in 1..=16 {
                let asked = Ask { code, ..ask() };
                let failure = client.unary(asked).await.expect_err("it is to fail");
                assert_failure(&failure, u8::try_from(code).expect("a code"));
            }
        }
        "unary_fails_with_details" => {
            let failure = client.unary(Ask { code: 5, ..ask() }).await;
            assert_details(&failure.expect_err("it is to fail"));
        }
        "unary_times_out" => {
            let call = client
                .unary(Ask {
                    hang: true,
                    ..ask()
                })
                .timeout(SHORT);
            let failure = call.await.expect_err("it hangs");
            assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure:?}");
        }
        "unary_is_unknown" => {
            let failure = channel
                .call::<_, String>("matrix.v1.Matrix/Nothing", ())
                .await;
            assert_eq!(failure.expect_err("unknown").code(), Code::Unimplemented);
        }
        "download" => download(&client).await,
        "download_of_nothing" => assert!(client.download(ask()).next().await.is_none()),
        "download_fails" => {
            let mut answers = client.download(Ask {
                count: 2,
                code: 5,
                ..ask()
            });
            for _ in 0..2 {
                assert_good(
                    &answers
                        .next()
                        .await
                        .expect("an answer")
                        .expect("a good one"),
                );
            }
            assert_details(
                &answers
                    .next()
                    .await
                    .expect("a failure")
                    .expect_err("it is to fail"),
            );
            assert!(answers.next().await.is_none());
        }
        "download_is_dropped" => {
            let mut answers = client.download(Ask {
                count: 1,
                hang: true,
                ..ask()
            });
            assert_good(
                &answers
                    .next()
                    .await
                    .expect("an answer")
                    .expect("a good one"),
            );
        }
        "download_times_out" => {
            let asked = Ask {
                count: 1,
                hang: true,
                ..ask()
            };
            let mut answers = client.download(asked).timeout(2 * SHORT);
            let mut last = answers.next().await;
            while let Some(Ok(_)) = last {
                last = answers.next().await;
            }
            let failure = last.expect("a failure").expect_err("it hangs");
            assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure:?}");
        }
        "upload" => {
            let asks = (1..=10).map(|number| Ask { number, ..ask() });
            let answer = client.upload(stream::iter(asks)).await.expect("an answer");
            assert_eq!((answer.number, answer.text.as_str()), (55, "text ☺"));
        }
        "upload_fails" => {
            let asks = [ask(), Ask { code: 5, ..ask() }];
            let failure = client.upload(stream::iter(asks)).await;
            assert_details(&failure.expect_err("it is to fail"));
        }
        "chat" => {
            let asks = (0..5).map(|_| Ask { count: 2, ..ask() });
            let answers: Vec<_> = client.chat(stream::iter(asks)).collect().await;
            assert_eq!(answers.len(), 10);
            answers
                .into_iter()
                .for_each(|it| assert_good(&it.expect("a good answer")));
        }
        "chat_in_turns" => chat_in_turns(&client).await,
        other => panic!("there is no case `{other}`"),
    }
}

/// More than 32 bits, and enough to be compressed.
fn ask() -> Ask {
    Ask {
        text: "text ☺".to_owned(),
        number: 1 << 53,
        size: 2_000,
        ..Ask::default()
    }
}

fn assert_good(answer: &Answer) {
    let expected = Answer {
        text: "text ☺".to_owned(),
        number: 1 << 53,
        body: vec![7; 2_000].into(),
        ..Answer::default()
    };
    assert_eq!(*answer, expected);
}

fn assert_failure(failure: &Status, code: u8) {
    assert_eq!(
        (failure.code(), failure.message()),
        (Code::from_number(code), "oops!")
    );
    assert!(failure.is_remote());
    assert_eq!(failure.metadata()[TAIL], "failed");
}

fn assert_details(failure: &Status) {
    assert_failure(failure, 5);
    assert_eq!(failure.metadata()["grpc-status-details-bin"], DETAILS);
}

async fn unary(client: &MatrixClient) {
    let call = client
        .unary(ask())
        .metadata(ASKED, "value")
        .metadata(ASKED_BINARY, "AQID");
    let reply = call.with_reply().await.expect("an answer");
    assert_good(&reply.value);
    assert_eq!(reply.metadata[HEAD], "value");
    assert_eq!(reply.trailers[TAIL], "value");
    assert_eq!(reply.trailers[TAIL_BINARY], "AQID");
}

async fn download(client: &MatrixClient) {
    let answers = client.download(Ask { count: 5, ..ask() });
    let mut answers = answers
        .metadata(ASKED, "value")
        .metadata(ASKED_BINARY, "AQID");
    assert_eq!(
        answers.accepted().await.expect("it is accepted")[HEAD],
        "value"
    );
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        assert_good(&answer.expect("a good answer"));
        count += 1;
    }
    assert_eq!(count, 5);
    assert_eq!(answers.trailers()[TAIL], "value");
    assert_eq!(answers.trailers()[TAIL_BINARY], "AQID");
}

async fn chat_in_turns(client: &MatrixClient) {
    let (ask_next, asked) = mpsc::channel(1);
    let asked = stream::unfold(asked, |mut it| async { Some((it.recv().await?, it)) });
    let mut answers = client.chat(asked);
    for _ in 0..3 {
        ask_next
            .send(Ask { count: 1, ..ask() })
            .await
            .expect("the call goes on");
        assert_good(
            &answers
                .next()
                .await
                .expect("an answer")
                .expect("a good one"),
        );
    }
    drop(ask_next);
    assert!(answers.next().await.is_none());
}

async fn chat_is_refused(client: &MatrixClient) {
    let mut answers = client.chat(stream::iter([ask()]));
    let refused = answers.next().await.expect("a failure");
    let failure = refused.expect_err("it is refused");
    assert_eq!(failure.code(), Code::Unimplemented);
    assert!(failure.to_string().contains("needs HTTP/2"), "{failure}");
}

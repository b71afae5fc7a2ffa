//! The cases as our client makes them. They panic where a peer is not as it should be.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use rpc_runtime::{Body, Channel, Code, Encoding, Message, Method, Request, Service};
use tokio::sync::mpsc;

use crate::compression;
use crate::schema::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceClient,
};
use crate::service::{INITIAL, TRAILING};

pub(crate) const ALL: [&str; 16] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "rpc_soak",
    "concurrent_large_unary",
];

/// What the official cases send and ask for.
const LARGE_REQUEST: usize = 271_828;
pub(crate) const LARGE_RESPONSE: i32 = 314_159;
const UPLOADS: [usize; 4] = [27_182, 8, 1_828, 45_904];
const DOWNLOADS: [i32; 4] = [31_415, 9, 2_653, 58_979];
const STATUS: &str = "test status message";
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

pub(crate) async fn run(case: &'static str, channel: Channel) {
    let client = TestServiceClient::new(channel.clone());
    match case {
        "empty_unary" => {
            client
                .empty_call(Empty::default())
                .await
                .expect("an answer");
        }
        "large_unary" => large_unary(&client).await,
        "client_streaming" => client_streaming(&client).await,
        "server_streaming" => server_streaming(&client).await,
        "ping_pong" => ping_pong(&client).await,
        "empty_stream" => {
            let mut answers = client.full_duplex_call(stream::empty());
            assert!(answers.next().await.is_none());
        }
        "custom_metadata" => custom_metadata(&client).await,
        "status_code_and_message" => status(&client, STATUS).await,
        "special_status_message" => status(&client, SPECIAL).await,
        "unimplemented_method" => unimplemented(&channel, "grpc.testing.TestService").await,
        "unimplemented_service" => {
            unimplemented(&channel, "grpc.testing.UnimplementedService").await;
        }
        "cancel_after_begin" => cancel_after_begin(&client).await,
        "cancel_after_first_response" => cancel_after_first_response(&client).await,
        "client_compressed_unary" => compression::client_unary(&client).await,
        "client_compressed_streaming" => compression::client_streaming(channel).await,
        "server_compressed_unary" => compression::server_unary(channel).await,
        "server_compressed_streaming" => compression::server_streaming(channel).await,
        "timeout_on_sleeping_server" => timeout_on_sleeping_server(&client).await,
        "concurrent_large_unary" => {
            let calls = (0..100).map(|_| large_unary(&client));
            futures_util::future::join_all(calls).await;
        }
        "rpc_soak" => {
            for _ in 0..50 {
                large_unary(&client).await;
            }
        }
        other => panic!("there is no case `{other}`"),
    }
}

pub(crate) fn zeros(size: usize) -> Payload {
    Payload {
        body: vec![0; size].into(),
        ..Payload::default()
    }
}

pub(crate) fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE,
        payload: zeros(LARGE_REQUEST).into(),
        ..SimpleRequest::default()
    }
}

fn upload(size: usize) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: zeros(size).into(),
        ..StreamingInputCallRequest::default()
    }
}

/// Asks for downloads with an upload.
fn exchange(size: usize, wanted: &[i32]) -> StreamingOutputCallRequest {
    let parameters = wanted.iter().map(|size| ResponseParameters {
        size: *size,
        ..ResponseParameters::default()
    });
    StreamingOutputCallRequest {
        response_parameters: parameters.collect(),
        payload: zeros(size).into(),
        ..StreamingOutputCallRequest::default()
    }
}

pub(crate) fn assert_zeros(payload: &Payload, size: i32) {
    assert_eq!(payload.body.len(), usize::try_from(size).expect("a size"));
    assert!(payload.body.iter().all(|byte| *byte == 0));
}

fn assert_download(answer: &StreamingOutputCallResponse, size: i32) {
    assert_zeros(&answer.payload, size);
}

async fn large_unary(client: &TestServiceClient) {
    let response = client.unary_call(large_request()).await.expect("an answer");
    assert_zeros(&response.payload, LARGE_RESPONSE);
}

async fn client_streaming(client: &TestServiceClient) {
    let uploads = stream::iter(UPLOADS.map(upload));
    let response = client.streaming_input_call(uploads).await;
    assert_eq!(response.expect("an answer").aggregated_payload_size, 74_922);
}

async fn server_streaming(client: &TestServiceClient) {
    let answers = client.streaming_output_call(exchange(0, &DOWNLOADS));
    let answers: Vec<_> = answers.map(|it| it.expect("a good item")).collect().await;
    assert_eq!(answers.len(), DOWNLOADS.len());
    for (answer, size) in answers.iter().zip(DOWNLOADS) {
        assert_download(answer, size);
    }
}

async fn ping_pong(client: &TestServiceClient) {
    let (ask, asked) = mpsc::channel(1);
    let asked = stream::unfold(asked, |mut it| async { Some((it.recv().await?, it)) });
    let mut answers = client.full_duplex_call(asked);
    for (up, down) in UPLOADS.into_iter().zip(DOWNLOADS) {
        ask.send(exchange(up, &[down]))
            .await
            .expect("the call goes on");
        let answer = answers
            .next()
            .await
            .expect("an answer")
            .expect("a good one");
        assert_download(&answer, down);
    }
    drop(ask);
    assert!(answers.next().await.is_none());
}

async fn custom_metadata(client: &TestServiceClient) {
    // `0x0a0b0a0b0a0b` in Base64.
    let (initial, trailing) = ("test_initial_metadata_value", "CgsKCwoL");
    let call = client.unary_call(large_request());
    let call = call.metadata(INITIAL, initial).metadata(TRAILING, trailing);
    let reply = call.with_reply().await.expect("an answer");
    assert_eq!(reply.metadata[INITIAL], initial);
    assert_eq!(reply.trailers[TRAILING], trailing);

    let asked = exchange(LARGE_REQUEST, &[LARGE_RESPONSE]);
    let answers = client.full_duplex_call(stream::iter([asked]));
    let mut answers = answers
        .metadata(INITIAL, initial)
        .metadata(TRAILING, trailing);
    assert_eq!(
        answers.accepted().await.expect("it is accepted")[INITIAL],
        initial
    );
    while let Some(answer) = answers.next().await {
        assert_download(&answer.expect("a good answer"), LARGE_RESPONSE);
    }
    assert_eq!(answers.trailers()[TRAILING], trailing);
}

async fn status(client: &TestServiceClient, text: &str) {
    let asked = EchoStatus {
        code: i32::from(Code::Unknown.number()),
        message: text.to_owned(),
        ..EchoStatus::default()
    };
    let request = SimpleRequest {
        response_status: asked.clone().into(),
        ..SimpleRequest::default()
    };
    let failure = client.unary_call(request).await.expect_err("it is to fail");
    assert_eq!((failure.code(), failure.message()), (Code::Unknown, text));

    let request = StreamingOutputCallRequest {
        response_status: asked.into(),
        ..StreamingOutputCallRequest::default()
    };
    let mut answers = client.full_duplex_call(stream::iter([request]));
    let failure = answers
        .next()
        .await
        .expect("a failure")
        .expect_err("it is to fail");
    assert_eq!((failure.code(), failure.message()), (Code::Unknown, text));
    assert!(answers.next().await.is_none());
}

/// Calls what the schema does not have.
async fn unimplemented(channel: &Channel, service: &str) {
    let nothing = Message::encoded(Bytes::new(), Encoding::PROTOBUF);
    let method = format!("{service}/UnimplementedCall");
    let mut request = Request::new(Method::named(method), Body::message(nothing));
    request.set_encoding(Encoding::PROTOBUF);
    let failure = match Service::call(channel, request).await {
        Err(status) => status,
        Ok(mut response) => {
            let frame = response.body_mut().frame().await;
            frame.expect("a failure").expect_err("it is to fail")
        }
    };
    assert_eq!(failure.code(), Code::Unimplemented, "{failure}");
}

async fn cancel_after_begin(client: &TestServiceClient) {
    let call = client.streaming_input_call(stream::pending()).start();
    tokio::task::yield_now().await;
    drop(call);
    // The connection is none the worse for it.
    client
        .empty_call(Empty::default())
        .await
        .expect("an answer");
}

async fn cancel_after_first_response(client: &TestServiceClient) {
    let first = stream::iter([exchange(UPLOADS[0], &[DOWNLOADS[0]])]);
    let mut answers = client.full_duplex_call(first.chain(stream::pending()));
    let answer = answers
        .next()
        .await
        .expect("an answer")
        .expect("a good one");
    assert_download(&answer, DOWNLOADS[0]);
    drop(answers);
    client
        .empty_call(Empty::default())
        .await
        .expect("an answer");
}

async fn timeout_on_sleeping_server(client: &TestServiceClient) {
    let first = stream::iter([exchange(UPLOADS[0], &[])]);
    let answers = client.full_duplex_call(first.chain(stream::pending()));
    let mut answers = answers.timeout(Duration::from_millis(1));
    let failure = answers
        .next()
        .await
        .expect("a failure")
        .expect_err("the time is over");
    assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure}");
}

/// Calls the same twice; the answer, which is the time, is the same where a cache may keep it.
pub(crate) async fn cacheable_unary(url: &str) {
    let ask = async |client: &TestServiceClient, text: &str| {
        let request = SimpleRequest {
            payload: Payload {
                body: text.as_bytes().to_vec().into(),
                ..Payload::default()
            }
            .into(),
            ..SimpleRequest::default()
        };
        let call = client.cacheable_unary_call(request);
        let answer = call.metadata("x-user-ip", "1.2.3.4").await;
        answer.expect("an answer").payload.body.clone()
    };
    let by_get = Channel::connect(url).connect_get(4_000).await;
    let by_get = TestServiceClient::new(by_get.expect("the cache is there"));
    let first = ask(&by_get, "one").await;
    assert_eq!(ask(&by_get, "one").await, first);
    assert_ne!(ask(&by_get, "two").await, first);
    let by_post = Channel::connect(url).await;
    let by_post = TestServiceClient::new(by_post.expect("the cache is there"));
    assert_ne!(ask(&by_post, "one").await, first);
}

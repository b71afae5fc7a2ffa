//! The cases of compression, and what sees and says how a message is sent.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};
use rpc_runtime::{Body, BodyFrame, Channel, Code, from_fn};

use crate::cases::{LARGE_RESPONSE, assert_zeros, large_request, zeros};
use crate::schema::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, TestServiceClient,
};

/// What the official cases send and ask for.
const UPLOADS: [(usize, bool); 2] = [(27_182, true), (45_904, false)];
const DOWNLOADS: [(i32, bool); 2] = [(31_415, true), (92_653, false)];

fn truth(value: bool) -> BoolValue {
    BoolValue {
        value,
        ..BoolValue::default()
    }
}

pub(crate) async fn client_unary(client: &TestServiceClient) {
    let expecting = |is_compressed| SimpleRequest {
        expect_compressed: truth(is_compressed).into(),
        ..large_request()
    };
    let probe = client.unary_call(expecting(true)).await;
    let refused = probe.expect_err("it was not compressed");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    for is_compressed in [true, false] {
        let call = client.unary_call(expecting(is_compressed));
        let answer = call.compressed(is_compressed).await.expect("an answer");
        assert_zeros(&answer.payload, LARGE_RESPONSE);
    }
}

fn upload((size, is_compressed): (usize, bool)) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: zeros(size).into(),
        expect_compressed: truth(is_compressed).into(),
        ..StreamingInputCallRequest::default()
    }
}

pub(crate) async fn client_streaming(channel: Channel) {
    let client = TestServiceClient::new(channel.clone());
    let probe = client.streaming_input_call(stream::iter([upload(UPLOADS[0])]));
    let refused = probe.await.expect_err("it was not compressed");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

    // The call says that its messages are compressed, and each says whether it is.
    let marked = channel.layer(from_fn(|mut request, next| async move {
        let marks = stream::iter(UPLOADS.map(|(_, is_compressed)| is_compressed));
        let body = request.take_body();
        let frames = stream::unfold(body, |mut body| async { Some((body.frame().await?, body)) });
        request.set_body(Body::stream(frames.zip(marks).map(|(frame, mark)| {
            Ok(match frame? {
                BodyFrame::Message(message) => BodyFrame::Message(message.compressed(mark)),
                other => other,
            })
        })));
        next.call(request).await
    }));
    let client = TestServiceClient::new(marked);
    let call = client.streaming_input_call(stream::iter(UPLOADS.map(upload)));
    let answer = call.compressed(true).await.expect("an answer");
    assert_eq!(answer.aggregated_payload_size, 73_086);
}

/// Whether the messages of replies came compressed.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<bool>>>);

impl Seen {
    fn around(&self, channel: Channel) -> TestServiceClient {
        let seen = self.clone();
        TestServiceClient::new(channel.layer(from_fn(move |request, next| {
            let seen = seen.clone();
            async move {
                let mut response = next.call(request).await?;
                let body = response.take_body();
                let frames =
                    stream::unfold(body, |mut body| async { Some((body.frame().await?, body)) });
                response.set_body(Body::stream(frames.inspect(move |frame| {
                    if let Ok(BodyFrame::Message(message)) = frame {
                        seen.lock().push(message.came_compressed());
                    }
                })));
                Ok(response)
            }
        })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn server_unary(channel: Channel) {
    let seen = Seen::default();
    let client = seen.around(channel);
    for is_compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: truth(is_compressed).into(),
            ..large_request()
        };
        let answer = client.unary_call(request).await.expect("an answer");
        assert_zeros(&answer.payload, LARGE_RESPONSE);
    }
    assert_eq!(*seen.lock(), [true, false]);
}

pub(crate) async fn server_streaming(channel: Channel) {
    let seen = Seen::default();
    let client = seen.around(channel);
    let parameters = DOWNLOADS.map(|(size, is_compressed)| ResponseParameters {
        size,
        compressed: truth(is_compressed).into(),
        ..ResponseParameters::default()
    });
    let mut answers = client.streaming_output_call(StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..StreamingOutputCallRequest::default()
    });
    for (size, _) in DOWNLOADS {
        let answer = answers.next().await.expect("an answer");
        assert_zeros(&answer.expect("a good one").payload, size);
    }
    assert!(answers.next().await.is_none());
    assert_eq!(
        *seen.lock(),
        DOWNLOADS.map(|(_, is_compressed)| is_compressed)
    );
}

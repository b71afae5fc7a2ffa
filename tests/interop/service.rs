//! The service that the clients of others call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::{Body, BodyFrame, Code, Context, Next, Request, Response, Status, Streaming};

use crate::schema::{
    BoolValue, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestService,
};

/// Comes back before the answer.
pub(crate) const INITIAL: &str = "x-grpc-test-echo-initial";
/// Comes back behind it.
pub(crate) const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

pub(crate) struct Interop;

/// Whether the messages of a request came compressed, in their order, as far as they were read and
/// not asked about.
#[derive(Clone, Default)]
struct Came(Arc<Mutex<VecDeque<bool>>>);

/// Notes for the handler how each message came.
pub(crate) async fn note_compression(mut request: Request, next: Next) -> Result<Response, Status> {
    let came = Came::default();
    request.extensions_mut().insert(came.clone());
    let body = request.take_body();
    let has_head = body.has_head();
    let noted = stream::unfold(body, |mut body| async { Some((body.frame().await?, body)) });
    let noted = noted.inspect(move |frame| {
        if let Ok(BodyFrame::Message(message)) = frame {
            let mut came = came.0.lock().unwrap_or_else(PoisonError::into_inner);
            came.push_back(message.came_compressed());
        }
    });
    let body = Body::stream(noted);
    request.set_body(if has_head { body.with_head() } else { body });
    next.call(request).await
}

/// Refuses a message that did not come as it says that it should.
fn check_compression(expected: Option<&BoolValue>) -> Result<(), Status> {
    let context = Context::current();
    let came = context.as_ref().and_then(|it| it.extension::<Came>());
    let came = came.and_then(|it| {
        let mut came = it.0.lock().unwrap_or_else(PoisonError::into_inner);
        came.pop_front()
    });
    match expected {
        Some(expected) if came != Some(expected.value) => {
            let text = format!("compressed: {came:?}, expected: {}", expected.value);
            Err(Status::invalid_argument(text))
        }
        _ => Ok(()),
    }
}

fn compress(asked: Option<&BoolValue>) {
    if let (Some(asked), Some(context)) = (asked, Context::current()) {
        context.compress_reply(asked.value);
    }
}

impl TestService for Interop {
    async fn empty_call(&self, _: Empty) -> Result<Empty, Status> {
        Ok(Empty::default())
    }

    async fn unary_call(&self, request: SimpleRequest) -> Result<SimpleResponse, Status> {
        echo_metadata();
        check_compression(request.expect_compressed.as_option())?;
        compress(request.response_compressed.as_option());
        fail_if_asked(request.response_status.as_option())?;
        Ok(SimpleResponse {
            payload: zeros(request.response_size)?.into(),
            ..SimpleResponse::default()
        })
    }

    async fn cacheable_unary_call(&self, _: SimpleRequest) -> Result<SimpleResponse, Status> {
        if let Some(context) = Context::current() {
            context.add_reply_metadata("cache-control", "max-age=60, public");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(|_| Status::internal("the clock is before its epoch"))?;
        Ok(SimpleResponse {
            payload: Payload {
                body: now.as_nanos().to_string().into_bytes().into(),
                ..Payload::default()
            }
            .into(),
            ..SimpleResponse::default()
        })
    }

    fn streaming_output_call(
        &self,
        request: StreamingOutputCallRequest,
    ) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
        payloads(request)
    }

    async fn streaming_input_call(
        &self,
        mut requests: Streaming<StreamingInputCallRequest>,
    ) -> Result<StreamingInputCallResponse, Status> {
        let mut sum = 0;
        while let Some(request) = requests.next().await {
            let request = request?;
            check_compression(request.expect_compressed.as_option())?;
            sum += request.payload.body.len();
        }
        Ok(StreamingInputCallResponse {
            aggregated_payload_size: i32::try_from(sum).unwrap_or(i32::MAX),
            ..StreamingInputCallResponse::default()
        })
    }

    fn full_duplex_call(
        &self,
        requests: Streaming<StreamingOutputCallRequest>,
    ) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
        echo_metadata();
        requests.flat_map(answers)
    }

    fn half_duplex_call(
        &self,
        requests: Streaming<StreamingOutputCallRequest>,
    ) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
        let all = stream::once(requests.collect::<Vec<_>>());
        all.flat_map(|all| stream::iter(all).flat_map(answers))
    }
}

fn answers(
    request: Result<StreamingOutputCallRequest, Status>,
) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
    match request {
        Ok(request) => payloads(request).left_stream(),
        Err(status) => stream::iter([Err(status)]).right_stream(),
    }
}

fn payloads(
    request: StreamingOutputCallRequest,
) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
    let failure = fail_if_asked(request.response_status.as_option()).err();
    let wanted = match &failure {
        Some(_) => Vec::new(),
        None => request.response_parameters,
    };
    if let Some(first) = wanted.first() {
        compress(first.compressed.as_option());
    }
    stream::iter(wanted)
        .then(payload)
        .chain(stream::iter(failure.map(Err)))
}

async fn payload(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    if let Ok(pause @ 1..) = u64::try_from(wanted.interval_us) {
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
    compress(wanted.compressed.as_option());
    Ok(StreamingOutputCallResponse {
        payload: zeros(wanted.size)?.into(),
        ..StreamingOutputCallResponse::default()
    })
}

fn zeros(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size)
        .map_err(|_| Status::invalid_argument("a payload has no negative size"))?;
    Ok(Payload {
        body: vec![0; size].into(),
        ..Payload::default()
    })
}

fn echo_metadata() {
    let Some(context) = Context::current() else {
        return;
    };
    if let Some(value) = context.metadata().get(INITIAL) {
        context.add_reply_metadata(INITIAL, value.clone());
    }
    if let Some(value) = context.metadata().get(TRAILING) {
        context.add_trailer(TRAILING, value.clone());
    }
}

fn fail_if_asked(asked: Option<&EchoStatus>) -> Result<(), Status> {
    match asked {
        Some(asked) if asked.code != 0 => {
            let code = u8::try_from(asked.code).map_or(Code::Unknown, Code::from_number);
            Err(Status::new(code, asked.message.clone()))
        }
        _ => Ok(()),
    }
}

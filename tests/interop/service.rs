//! The service that the clients of others call.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::{Code, Context, Status, Streaming};

use crate::schema::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestService,
};

/// Comes back before the answer.
pub(crate) const INITIAL: &str = "x-grpc-test-echo-initial";
/// Comes back behind it.
pub(crate) const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

pub(crate) struct Interop;

impl TestService for Interop {
    async fn empty_call(&self, _: Empty) -> Result<Empty, Status> {
        Ok(Empty::default())
    }

    async fn unary_call(&self, request: SimpleRequest) -> Result<SimpleResponse, Status> {
        echo_metadata();
        fail_if_asked(request.response_status.as_option())?;
        Ok(SimpleResponse {
            payload: zeros(request.response_size)?.into(),
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
            sum += request?.payload.body.len();
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
    stream::iter(wanted)
        .then(payload)
        .chain(stream::iter(failure.map(Err)))
}

async fn payload(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    if let Ok(pause @ 1..) = u64::try_from(wanted.interval_us) {
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
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

//! The service, as the clients of others call it.

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::http::HeaderValue;
use rpc_runtime::{Code, Context, Status, Streaming};

use crate::schema::{Answer, Ask, Matrix};

/// Comes back before an answer, and behind it.
pub(crate) const ASKED: &str = "x-ask";
pub(crate) const ASKED_BINARY: &str = "x-ask-bin";
pub(crate) const HEAD: &str = "x-head";
pub(crate) const TAIL: &str = "x-tail";
pub(crate) const TAIL_BINARY: &str = "x-tail-bin";

/// A `google.rpc.Status` of code 5 whose detail is a `Trouble` with the reason `why`, in Base64.
pub(crate) const DETAILS: &str =
    "CAUSBW9vcHMhGi4KJXR5cGUuZ29vZ2xlYXBpcy5jb20vbWF0cml4LnYxLlRyb3VibGUSBQoDd2h5";

pub(crate) struct Probe;

impl Matrix for Probe {
    async fn unary(&self, ask: Ask) -> Result<Answer, Status> {
        echo_metadata();
        answer(ask).await
    }

    async fn read(&self, ask: Ask) -> Result<Answer, Status> {
        echo_metadata();
        answer(ask).await
    }

    fn download(&self, ask: Ask) -> impl Stream<Item = Result<Answer, Status>> {
        echo_metadata();
        answers(ask)
    }

    async fn upload(&self, mut asks: Streaming<Ask>) -> Result<Answer, Status> {
        echo_metadata();
        let (mut sum, mut last) = (0, Ask::default());
        while let Some(ask) = asks.next().await {
            last = ask?;
            sum += last.number;
        }
        last.number = sum;
        answer(last).await
    }

    fn chat(&self, asks: Streaming<Ask>) -> impl Stream<Item = Result<Answer, Status>> {
        echo_metadata();
        asks.flat_map(|ask| match ask {
            Ok(ask) => answers(ask).left_stream(),
            Err(status) => stream::iter([Err(status)]).right_stream(),
        })
    }
}

fn answers(ask: Ask) -> impl Stream<Item = Result<Answer, Status>> {
    let count = usize::try_from(ask.count).unwrap_or_default();
    let good = Ask {
        code: 0,
        hang: false,
        ..ask.clone()
    };
    let rest = stream::once(answer(ask.clone())).filter(move |_| {
        let wanted = ask.code != 0 || ask.hang;
        std::future::ready(wanted)
    });
    stream::iter(0..count)
        .then(move |_| answer(good.clone()))
        .chain(rest)
}

async fn answer(ask: Ask) -> Result<Answer, Status> {
    if ask.hang {
        std::future::pending::<()>().await;
    }
    if let Ok(code @ 1..) = u8::try_from(ask.code) {
        let mut status = Status::new(Code::from_number(code), "oops!");
        let metadata = status.metadata_mut();
        metadata.insert(TAIL, HeaderValue::from_static("failed"));
        if code == Code::NotFound.number() {
            let details = HeaderValue::from_static(DETAILS);
            metadata.insert("grpc-status-details-bin", details);
        }
        return Err(status);
    }
    Ok(Answer {
        text: ask.text,
        number: ask.number,
        body: vec![7; usize::try_from(ask.size).unwrap_or_default()].into(),
        ..Answer::default()
    })
}

fn echo_metadata() {
    let Some(context) = Context::current() else {
        return;
    };
    if let Some(value) = context.metadata().get(ASKED) {
        context.add_reply_metadata(HEAD, value.clone());
        context.add_trailer(TAIL, value.clone());
    }
    if let Some(value) = context.metadata().get(ASKED_BINARY) {
        context.add_trailer(TAIL_BINARY, value.clone());
    }
}

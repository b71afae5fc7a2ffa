//! grpcio, the implementation of gRPC for Python, against a real server.
//!
//! The service behind it takes and gives messages as bytes, as a gateway does, so that no schema is
//! needed on either side.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue};
use rpc_runtime::{
    Body, BodyFrame, Code, Encoding, Message, Request, Response, Server, Status, service_fn,
};
use rpc_tests::serving::serve;
use tokio::process::Command;
use tokio::time::timeout;

type Frame = Result<BodyFrame, Status>;

/// Counts a handler for as long as it is there.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn message(bytes: impl Into<Bytes>) -> Message {
    Message::encoded(bytes.into(), Encoding::JSON)
}

fn reply(bytes: impl Into<Bytes>) -> Response {
    Response::new(Body::message(message(bytes)))
}

fn streamed(items: impl Stream<Item = Result<Bytes, Status>> + Send + 'static) -> Response {
    let frame = |item: Result<Bytes, Status>| -> Frame { Ok(BodyFrame::Message(message(item?))) };
    Response::new(Body::stream(items.map(frame)))
}

async fn next(body: &mut Body) -> Option<Result<Bytes, Status>> {
    match body.frame().await? {
        Ok(BodyFrame::Message(mut message)) => Some(message.bytes(Encoding::JSON)),
        Ok(_) => None,
        Err(status) => Some(Err(status)),
    }
}

fn numbers(up_to: &Bytes) -> impl Stream<Item = Result<Bytes, Status>> + Send + use<> {
    let up_to: u64 = std::str::from_utf8(up_to).unwrap().parse().unwrap();
    stream::iter((0..up_to).map(|n| Ok(Bytes::from(n.to_string()))))
}

async fn answer(mut request: Request, running: Arc<AtomicUsize>) -> Result<Response, Status> {
    let mut body = request.take_body();
    let name = request.method().name().to_owned();
    if name == "Chat" {
        let items = stream::unfold(body, |mut body| async {
            Some((next(&mut body).await?, body))
        });
        return Ok(streamed(items));
    }
    if name == "Join" {
        let mut all = Vec::new();
        while let Some(item) = next(&mut body).await {
            all.push(item?);
        }
        return Ok(reply(all.join(&b',')));
    }
    let bytes = next(&mut body).await.transpose()?.unwrap_or_default();
    match &*name {
        "Echo" => Ok(reply(bytes)),
        "Metadata" => {
            let mut response = reply(bytes);
            response.metadata_mut().extend(request.metadata().clone());
            let seen = HeaderName::from_static("seen-bin");
            response
                .trailers_mut()
                .insert(seen, HeaderValue::from_static("/wA="));
            Ok(response)
        }
        "Fail" => {
            let (code, text) = bytes.split_first().expect("a code and a text");
            let text = String::from_utf8(text.to_vec()).unwrap();
            let mut status = Status::new(Code::from_number(*code), text);
            let why = HeaderValue::from_static("asked");
            status.metadata_mut().insert("why", why);
            Err(status)
        }
        "Panic" => panic!("this handler panics on purpose"),
        "Count" => Ok(streamed(numbers(&bytes))),
        "CountThenFail" => {
            let end = stream::iter([Err(Status::data_loss("no more"))]);
            Ok(streamed(numbers(&bytes).chain(end)))
        }
        "Forever" => {
            let counted = Counted::new(&running);
            Ok(streamed(stream::repeat_with(move || {
                let _ = &counted;
                Ok(Bytes::from(vec![7; 10_000]))
            })))
        }
        "Wait" => {
            let _counted = Counted::new(&running);
            std::future::pending().await
        }
        "Running" => Ok(reply(running.load(Ordering::SeqCst).to_string())),
        "TimeLeft" => {
            let left = request
                .remaining()
                .ok_or_else(|| Status::not_found("no deadline"))?;
            Ok(reply(left.as_millis().to_string()))
        }
        _ => Err(Status::unimplemented("no such method")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpcio_finds_every_pattern_status_and_deadline() {
    let serving = serve("grpc", server()).await;
    run_grpcio(serving.url.strip_prefix("grpc://").unwrap()).await;
}

/// A server that answers what the script calls.
pub(crate) fn server() -> Server {
    let running = Arc::new(AtomicUsize::new(0));
    Server::new().fallback(service_fn(move |request| {
        answer(request, Arc::clone(&running))
    }))
}

/// Runs the script, all of whose checks must be met by the server at an address.
pub(crate) async fn run_grpcio(address: &str) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = tests.join("python/test_grpc.py");
    let mut python = Command::new(tests.join("../target/tools/python/bin/python"));
    python
        .arg(script)
        .arg(address)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), python.output())
        .await
        .expect("the script is bounded in time")
        .expect("grpcio is there (bash tests/setup.sh installs it)");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a check failed, see above");
    assert!(text.lines().count() > 10, "every check prints a line");
}

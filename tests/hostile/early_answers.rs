//! Clients of gRPC that ask much at once are answered while the rest is worked off.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rpc_runtime::{Server, Wire, rpc_service};

use crate::healthy::start;
use crate::http2::{DATA, END_STREAM, Raw, frame, headers, message};

#[rpc_service(name = "test.v1.Early")]
trait Early {
    /// Whether the client has had an answer, for which the number 24 waits.
    async fn is_answered(&self, number: u32) -> bool;
}

struct Waits(Mutex<Receiver<()>>);

impl Early for Waits {
    async fn is_answered(&self, number: u32) -> bool {
        let answers = self.0.lock().expect("nobody panics");
        // Nothing else of the connection can go on meanwhile, as when a handler computes.
        number == 24 && answers.recv_timeout(Duration::from_secs(10)).is_ok()
    }
}

const HEAD: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.v1.Early/is_answered"),
    (":authority", "localhost"),
    ("content-type", "application/grpc+json"),
    ("te", "trailers"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answers_leave_before_the_last_request_is_looked_at() {
    let (answered, answers) = channel();
    let server = Server::new().accept([Wire::Http]);
    let serving = start(server.add(EarlyServer::new(Waits(Mutex::new(answers))))).await;
    let mut client = Raw::greet(&serving.url, &[]).await;
    // All of them in what one read takes.
    let mut requests = Vec::new();
    for number in 0..32_u32 {
        let stream = 1 + 2 * number;
        let argument = message(format!("{{\"number\":{number}}}").as_bytes());
        requests.extend(headers(0, stream, &HEAD));
        requests.extend(frame(DATA, END_STREAM, stream, &argument));
    }
    assert!(requests.len() < 8 << 10);
    assert!(client.send(&requests).await);
    let mut ended = 0;
    while ended < 32 {
        let came = client.next().await.expect("the connection is open");
        if came.kind == DATA && came.stream == 1 + 2 * 24 {
            assert!(came.payload.ends_with(b"true"), "it waited in vain");
        }
        if came.ends() {
            ended += 1;
            // One is enough.
            let _ = answered.send(());
        }
    }
}

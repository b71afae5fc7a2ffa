//! Clients of gRPC that ask much at once are answered while the rest is worked off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use rpc_runtime::transport::Io;
use rpc_runtime::{Server, Wire, rpc_service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::http2::{DATA, END_STREAM, PREFACE, frame, headers, message, settings};

#[rpc_service(name = "test.v1.Early")]
trait Early {
    async fn note(&self, number: u32) -> u32;
}

/// Notes what has come to the client when a certain call is worked off.
#[derive(Clone)]
struct Notes {
    client: Arc<Mutex<DuplexStream>>,
    worked_off: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

/// The call that looks.
const LOOKS: u32 = 24;

impl Early for Notes {
    async fn note(&self, number: u32) -> u32 {
        self.worked_off.fetch_add(1, Ordering::SeqCst);
        if number == LOOKS {
            let mut client = self.client.lock().expect("nobody panics");
            let mut came = vec![0; 64 << 10];
            let length = client.read(&mut came).now_or_never();
            let length = length.expect("something has come").expect("it is open");
            let answered = data_frames(&came[..length]);
            self.answered.store(answered, Ordering::SeqCst);
        }
        number
    }
}

fn data_frames(mut frames: &[u8]) -> usize {
    let mut count = 0;
    while let [a, b, c, kind, ..] = *frames {
        count += usize::from(kind == DATA);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        frames = frames.get(9 + length..).unwrap_or_default();
    }
    count
}

const HEAD: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.v1.Early/note"),
    (":authority", "localhost"),
    ("content-type", "application/grpc+json"),
    ("te", "trailers"),
];

/// While time stands still, no handler is slow, and so all are in the connection's task.
#[tokio::test(start_paused = true)]
async fn the_first_answers_leave_before_the_last_request_is_worked_off() {
    let (mut client, theirs) = duplex(1 << 20);
    // All of them in what one read takes.
    let mut all = [PREFACE, &settings(&[])].concat();
    for number in 0..32 {
        let stream = 1 + 2 * number;
        let argument = message(format!("{{\"number\":{number}}}").as_bytes());
        all.extend(headers(0, stream, &HEAD));
        all.extend(frame(DATA, END_STREAM, stream, &argument));
    }
    client.write_all(&all).await.expect("the pipe takes it");
    let notes = Notes {
        client: Arc::new(Mutex::new(client)),
        worked_off: Arc::default(),
        answered: Arc::default(),
    };
    let server = Server::new().accept([Wire::Http]);
    let connections = server.add(EarlyServer::new(notes.clone())).connections();
    let serving = tokio::spawn(connections.serve(Io::new(theirs)));
    while notes.worked_off.load(Ordering::SeqCst) < 32 {
        tokio::task::yield_now().await;
    }
    let answered = notes.answered.load(Ordering::SeqCst);
    assert!(
        (8..=LOOKS as usize).contains(&answered),
        "{answered} have left"
    );
    serving.abort();
}

//! Peers that accept connections and do not serve them, on a clock that stands still.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::*;
use crate::call::{Body, Message, Method};
use crate::codec::Encoding;
use crate::status::Code;
use crate::transport::Listener;

/// What is said to who asks, and the end of the connection.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\
    connection: close\r\n\r\n1";

fn endpoint(url: &str, address: Address) -> Arc<Endpoint> {
    let (wire, _) = ClientWire::parse(url).unwrap();
    let destination = Destination::Address { wire, address };
    let (config, timeout) = (Arc::default(), Duration::from_secs(1));
    Endpoint::new(destination, None, config, timeout, None)
}

fn request() -> Request {
    let message = Message::encoded(Bytes::from_static(b"{}"), Encoding::JSON);
    let mut request = Request::new(Method::named("m.M/x"), Body::message(message));
    request.set_encoding(Encoding::JSON);
    request
}

#[tokio::test(start_paused = true)]
async fn who_accepts_and_closes_is_asked_with_pauses() {
    for url in ["connect+http1://localhost:1", "jsonrpc+tcp://localhost:1"] {
        let address: Address = format!("mem:closes {url}").parse().unwrap();
        let mut listener = Listener::bind(&address).await.unwrap();
        let accepted = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&accepted);
        let closing = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let endpoint = endpoint(url, address);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            let status = endpoint.call(request()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{url}: {status}");
            sleep(Duration::from_millis(10)).await;
        }
        // At once, once more, behind up to 100 ms, and each time behind twice as much.
        let accepted = accepted.load(Ordering::SeqCst);
        assert!((6..=16).contains(&accepted), "{url}: {accepted}");
        closing.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_answers_and_closes_is_asked_at_once() {
    let address: Address = "mem:answers and closes".parse().unwrap();
    let mut listener = Listener::bind(&address).await.unwrap();
    let answering = tokio::spawn(async move {
        while let Ok(mut io) = listener.accept().await {
            let mut asked = [0; 4_096];
            let _ = io.read(&mut asked).await;
            let _ = io.write_all(ANSWER).await;
            let _ = io.shutdown().await;
        }
    });
    let endpoint = endpoint("connect+http1://localhost:1", address);
    let start = Instant::now();
    for _ in 0..20 {
        endpoint.call(request()).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(1));
    answering.abort();
}

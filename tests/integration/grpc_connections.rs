//! A gRPC server gives a connection few places for calls: the client makes further connections, and
//! lets them go.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use rpc_runtime::{Channel, Code, Encoding, Status};
use rpc_tests::math::MathClient;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A server with two places on each connection, that leaves its calls to the test.
struct Server {
    url: String,
    calls: mpsc::UnboundedReceiver<Asked>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let (asked, calls) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let open = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, open) = (asked.clone(), Arc::clone(&open));
                tokio::spawn(async move {
                    let mut builder = server::Builder::new();
                    builder.max_concurrent_streams(2);
                    let mut http2 = builder.handshake::<_, Bytes>(stream).await.unwrap();
                    open.fetch_add(1, Ordering::SeqCst);
                    while let Some(Ok(call)) = http2.accept().await {
                        let _ = asked.send(call);
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            url,
            calls,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn calls(&mut self, count: usize) -> Vec<Asked> {
        let mut calls = Vec::new();
        for _ in 0..count {
            let call = timeout(PATIENCE, self.calls.recv()).await;
            calls.push(call.expect("a call comes").expect("the server runs"));
        }
        calls
    }
}

/// Answers a call with the number 5.
fn answer((_, mut reply): Asked) {
    let head = Response::builder().header("content-type", "application/grpc+json");
    let mut stream = reply.send_response(head.body(()).unwrap(), false).unwrap();
    let message = Bytes::from_static(b"\0\0\0\0\x015");
    stream.send_data(message, false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers).unwrap();
}

async fn client(server: &Server, max_connections: usize) -> MathClient {
    let channel = Channel::connect(&server.url).max_connections(max_connections);
    MathClient::new(channel.await.unwrap().with_encoding(Encoding::JSON))
}

/// Begins a call that goes on by itself.
fn add(client: &MathClient) -> JoinHandle<Result<i64, Status>> {
    tokio::spawn(client.add(2, 3).into_future())
}

#[tokio::test]
async fn calls_beyond_the_places_go_over_further_connections_which_are_let_go() {
    let mut server = Server::start().await;
    let client = client(&server, 8).await;
    let unary: Vec<_> = (0..4).map(|_| add(&client)).collect();
    let uploads: Vec<_> = (0..3)
        .map(|_| tokio::spawn(client.sum(stream::pending::<i64>()).into_future()))
        .collect();
    let asked = server.calls(7).await;
    assert_eq!(server.connections(), 4);
    uploads.iter().for_each(|it| it.abort());
    asked.into_iter().for_each(answer);
    for call in unary {
        assert_eq!(call.await.unwrap().unwrap(), 5);
    }
    let alone = async {
        while server.connections() > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, alone)
        .await
        .expect("the others are closed");
    let again = add(&client);
    server.calls(1).await.into_iter().for_each(answer);
    assert_eq!(again.await.unwrap().unwrap(), 5);
}

#[tokio::test]
async fn calls_wait_at_the_bound_and_go_on_with_the_first_free_place() {
    let mut server = Server::start().await;
    let client = client(&server, 2).await;
    let held: Vec<_> = (0..4).map(|_| add(&client)).collect();
    let mut asked = server.calls(4).await;
    let refused = client.add(2, 3).timeout(Duration::from_millis(50)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert!(refused.message().contains("`max_connections`"), "{refused}");
    let waiting = add(&client);
    // The last to come is on the further connection.
    answer(asked.pop().unwrap());
    let next = server.calls(1).await;
    assert_eq!(server.connections(), 2);
    asked.into_iter().chain(next).for_each(answer);
    for call in held {
        assert_eq!(call.await.unwrap().unwrap(), 5);
    }
    assert_eq!(waiting.await.unwrap().unwrap(), 5);
}

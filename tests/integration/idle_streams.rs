//! Streams that wait leave the processor alone, on every wire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use rpc_runtime::call::ConnectionInfo;
use rpc_runtime::{Server, Status, Streaming, from_fn, rpc_service};
use rpc_tests::serving::{connect, serve};

/// How long the streams wait. One that kept its task busy was asked many thousand times in it.
const WHILE: Duration = Duration::from_millis(300);

/// Enough for what is asked again because something else has happened.
const A_FEW: usize = 20;

#[rpc_service]
trait Talk {
    fn talk(&self, words: Streaming<u64>) -> impl Stream<Item = Result<u64, Status>>;
}

struct Talker {
    asked: Arc<AtomicUsize>,
}

impl Talk for Talker {
    fn talk(&self, words: Streaming<u64>) -> impl Stream<Item = Result<u64, Status>> {
        stream::select(words, one_and_silence(&self.asked).map(Ok))
    }
}

/// A number, and then nothing; counts how often it is asked for more.
fn one_and_silence(asked: &Arc<AtomicUsize>) -> impl Stream<Item = u64> + use<> {
    let asked = Arc::clone(asked);
    stream::iter([7]).chain(stream::poll_fn(move |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }))
}

#[tokio::test]
async fn streams_that_wait_are_not_asked_again_and_again() {
    for transport in ["tcp", "grpc", "connect+http"] {
        let (uploaded, downloaded) = (Arc::default(), Arc::default());
        let talker = Talker {
            asked: Arc::clone(&downloaded),
        };
        let serving = serve(transport, Server::new().add(TalkServer::new(talker))).await;
        let client = TalkClient::new(connect(&serving.url).await.unwrap());
        let mut words = client.talk(one_and_silence(&uploaded));
        for _ in 0..2 {
            assert_eq!(words.next().await.unwrap().unwrap(), 7);
        }
        assert!(tokio::time::timeout(WHILE, words.next()).await.is_err());
        for asked in [uploaded, downloaded] {
            let asked = asked.load(Ordering::Relaxed);
            assert!(asked <= A_FEW, "{asked} times over {transport}");
        }
    }
}

#[tokio::test]
async fn a_connection_with_a_stream_that_waits_is_not_idle() {
    let idle = Duration::from_millis(500);
    for transport in ["tcp", "grpc", "connect+http"] {
        let seen: Arc<Mutex<Vec<Arc<ConnectionInfo>>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let note = from_fn(move |request, next| {
            noted.lock().unwrap().extend(request.connection().cloned());
            async move { next.call(request).await }
        });
        let talker = Talker {
            asked: Arc::default(),
        };
        let server = Server::new().add(TalkServer::new(talker)).layer(note);
        let serving = serve(transport, server.idle_timeout(idle)).await;
        let client = TalkClient::new(connect(&serving.url).await.unwrap());
        let mut words = client.talk(stream::pending());
        assert_eq!(words.next().await.unwrap().unwrap(), 7);
        tokio::time::sleep(idle * 3).await;
        let mut others = client.talk(stream::pending());
        assert_eq!(others.next().await.unwrap().unwrap(), 7);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert!(Arc::ptr_eq(&seen[0], &seen[1]), "over {transport}");
    }
}

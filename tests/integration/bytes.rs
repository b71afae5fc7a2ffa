//! `Bytes` of every size, in every encoding, over every kind of wire.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rpc_runtime::{Encoding, Server, Streaming, rpc_service};
use rpc_tests::serving::serve;

#[rpc_service(codec = rpc_runtime::codec::SerdeWithPostcard)]
trait Store {
    async fn echo(&self, body: Bytes) -> Bytes;

    async fn swap(&self, first: Bytes, name: String, second: Bytes) -> (Bytes, String, Bytes);

    async fn name_of(&self, body: Bytes, name: Option<String>) -> Option<String>;

    fn items(&self, items: Streaming<Bytes>) -> impl Stream<Item = Bytes>;
}

struct Memory;

impl Store for Memory {
    async fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    async fn swap(&self, first: Bytes, name: String, second: Bytes) -> (Bytes, String, Bytes) {
        (second, name, first)
    }

    async fn name_of(&self, body: Bytes, name: Option<String>) -> Option<String> {
        name.map(|name| format!("{name} of {}", body.len()))
    }

    fn items(&self, items: Streaming<Bytes>) -> impl Stream<Item = Bytes> {
        items.filter_map(|item| async move { item.ok() })
    }
}

/// Around the lengths at which something changes.
const LENGTHS: [usize; 10] = [
    0, 1, 8_191, 16_383, 16_384, 65_535, 65_537, 131_072, 1_048_576, 3_000_001,
];

fn bytes(length: usize) -> Bytes {
    (0..length).map(|it| (it % 251) as u8).collect()
}

async fn goes_both_ways(transport: &str, encoding: Encoding) {
    let serving = serve(transport, Server::new().add(StoreServer::new(Memory))).await;
    let store = StoreClient::connect(&serving.url).await.unwrap();
    // JSON has numbers for bytes, four of its own for each.
    let most = if encoding == Encoding::JSON {
        1_048_576
    } else {
        usize::MAX
    };
    for length in LENGTHS.into_iter().filter(|it| *it <= most) {
        let body = bytes(length);
        let echo = store.echo(body.clone()).encoding(encoding).await;
        assert!(echo.unwrap() == body, "{encoding} {length}");
        let other = bytes(70_000);
        let swap = store.swap(body.clone(), "name".into(), other.clone());
        let swapped = swap.encoding(encoding).await.unwrap();
        assert!(
            swapped == (other, "name".into(), body.clone()),
            "{encoding} {length}"
        );
        let name = store.name_of(body, Some("name".into())).encoding(encoding);
        let expected = format!("name of {length}");
        assert_eq!(name.await.unwrap().as_deref(), Some(&*expected));
    }
    let lengths = LENGTHS.into_iter().filter(move |it| *it <= most);
    let uploads = futures_util::stream::iter(lengths.clone().map(bytes));
    let mut items = store.items(uploads).encoding(encoding);
    for length in lengths {
        let item = items.next().await.unwrap().unwrap();
        assert!(item == bytes(length), "{encoding} {length}");
    }
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn they_arrive_in_message_pack() {
    goes_both_ways("tcp", Encoding::MESSAGE_PACK).await;
    goes_both_ways("mem", Encoding::MESSAGE_PACK).await;
}

#[tokio::test]
async fn they_arrive_in_postcard() {
    goes_both_ways("tcp", Encoding::POSTCARD).await;
    goes_both_ways("mem", Encoding::POSTCARD).await;
}

#[tokio::test]
async fn they_arrive_in_json() {
    goes_both_ways("tcp", Encoding::JSON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_calls_at_once_keep_their_bytes_apart() {
    let serving = serve("tcp", Server::new().add(StoreServer::new(Memory))).await;
    let store = StoreClient::connect(&serving.url).await.unwrap();
    let calls = (0..8_u8).map(|caller| {
        let store = store.clone();
        async move {
            for round in 0..20_usize {
                let body = Bytes::from(vec![caller; 200_000 * (round % 7 + 1)]);
                let echo = store.echo(body.clone()).await.unwrap();
                assert!(echo == body, "{caller} {round}");
            }
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn in_process_they_are_the_same_memory() {
    let store = StoreClient::new(StoreServer::new(Memory));
    let body = bytes(1_000_000);
    let echo = store.echo(body.clone()).await.unwrap();
    assert_eq!(echo.as_ptr(), body.as_ptr());
}

//! A mock that `#[rpc_service(mock)]` generates, in process and over a wire.

use futures_util::stream;
use rpc_runtime::{Code, Context, Server, Status, Stream, Streaming, rpc_service};
use rpc_tests::serving::serve;
use serde::{Deserialize, Serialize};

/// It has no `Clone`, which is needed only to ask for the calls.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Value(u32);

#[rpc_service(mock)]
trait Store {
    async fn get(&self, key: String, ctx: &Context) -> Result<Value, Status>;
    #[rpc(blocking)]
    fn count(&self) -> u64;
    fn list(&self, prefix: String) -> impl Stream<Item = String>;
    async fn put(&self, name: String, values: Streaming<Value>) -> u64;
    fn watch(&self, keys: Streaming<String>) -> impl Stream<Item = Result<String, Status>>;
}

fn mock() -> StoreMock {
    let mock = StoreMock::new();
    mock.get.answers(|(key,)| match key.as_str() {
        "none" => Err(Status::not_found("there is none")),
        key => Ok(Value(u32::try_from(key.len()).unwrap())),
    });
    mock.count.answers(|()| 7);
    mock.list
        .answers(|(prefix,)| vec![format!("{prefix}1"), format!("{prefix}2")]);
    mock.put.answers(|(_, values)| values.len() as u64);
    mock.watch
        .answers(|(keys,)| keys.iter().cloned().rev().collect());
    mock
}

async fn use_it(client: &StoreClient, mock: &StoreMock) {
    assert_eq!(client.get("abc".into()).await.unwrap(), Value(3));
    let refused = client.get("none".into()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(
        mock.get.calls(),
        [("abc".to_owned(),), ("none".to_owned(),)]
    );
    assert_eq!(client.count().await.unwrap(), 7);
    let mut list = client.list("a".into());
    for expected in ["a1", "a2"] {
        assert_eq!(list.next().await.unwrap().unwrap(), expected);
    }
    assert!(list.next().await.is_none());
    let values = stream::iter([Value(1), Value(2)]);
    assert_eq!(client.put("x".into(), values).await.unwrap(), 2);
    let calls = mock.put.take_calls();
    let [(name, values)] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!((name.as_str(), values.len()), ("x", 2));
    assert!(values.iter().all(Result::is_ok));
    assert_eq!(mock.put.count(), 0, "they were taken");
    let mut watched = client.watch(stream::iter(["x".to_owned(), "y".to_owned()]));
    for expected in ["y", "x"] {
        assert_eq!(watched.next().await.unwrap().unwrap(), expected);
    }
    assert!(watched.next().await.is_none());
}

#[tokio::test]
async fn a_mock_answers_as_it_is_told_to_and_remembers_its_calls() {
    let here = mock();
    use_it(&StoreClient::new(StoreServer::new(here.clone())), &here).await;
    let there = mock();
    let serving = serve("tcp", Server::new().add(StoreServer::new(there.clone()))).await;
    use_it(&StoreClient::connect(&serving.url).await.unwrap(), &there).await;
}

#[tokio::test]
async fn a_call_without_an_answer_fails_and_is_remembered() {
    let mock = StoreMock::new();
    let client = StoreClient::new(StoreServer::new(mock.clone()));
    let failure = client.get("abc".into()).await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
    assert_eq!(mock.get.count(), 1);
}

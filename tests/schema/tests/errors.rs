//! Methods that fail with a message.

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::{Code, RpcClient as _, RpcError as _, Server};
use rpc_schema_tests::schema::store::v1::value::Refused;
use rpc_schema_tests::schema::store::v1::*;

struct Empty;

impl Store for Empty {
    async fn get(&self, request: Key) -> Result<Value, StoreError> {
        Err(missing(request.key))
    }

    fn list(&self, request: Key) -> impl Stream<Item = Result<Value, StoreError>> {
        stream::iter([Ok(Value::default()), Err(missing(request.key))])
    }

    async fn put(&self, _: Value) -> Result<Key, Refused> {
        Err(Refused {
            reason: 3,
            ..Refused::default()
        })
    }
}

fn missing(key: String) -> StoreError {
    StoreError {
        message: format!("there is no {key}"),
        key,
        ..StoreError::default()
    }
}

#[tokio::test]
async fn a_caller_gets_the_message_whole() {
    let bound = Server::new()
        .add(StoreServer::new(Empty))
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .expect("a port is free");
    let url = bound.url().to_owned();
    let serving = tokio::spawn(bound.serve());
    let store = StoreClient::connect(&url)
        .await
        .expect("the server is there");
    let key = Key {
        key: "a".to_owned(),
        ..Key::default()
    };

    let error = store
        .get(key.clone())
        .await
        .expect_err("the store is empty");
    assert_eq!(error.app(), Some(&missing("a".to_owned())));
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(
        error.app().map(ToString::to_string).as_deref(),
        Some("there is no a")
    );

    let items: Vec<_> = store.list(key).collect().await;
    assert_eq!(
        items[1].as_ref().err().and_then(|error| error.app()),
        Some(&missing("a".to_owned()))
    );

    let error = store
        .put(Value::default())
        .await
        .expect_err("it is refused");
    let refused = error.app().expect("it says why");
    assert_eq!((refused.reason, refused.code()), (3, Code::Unknown));
    assert!(refused.to_string().contains("reason: 3"), "{refused}");
    serving.abort();
}

#[test]
fn the_options_are_in_the_descriptor() {
    let get = StoreClient::SERVICE
        .find("Get")
        .expect("the method is there")
        .descriptor();
    assert!(get.is_read_only());
    assert_eq!(get.added_in(), Some("1.1"));
    assert_eq!(
        get.default_timeout(),
        Some(std::time::Duration::from_secs(5))
    );
    let put = StoreClient::SERVICE
        .find("Put")
        .expect("the method is there")
        .descriptor();
    assert!(put.is_idempotent() && !put.is_read_only());
}

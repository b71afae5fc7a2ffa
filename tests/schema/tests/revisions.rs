//! A server that was built from an earlier revision of a schema.

use futures_util::{Stream, stream};
use rpc_runtime::{CallError, Code, Context, Server};
use rpc_schema_tests::schema::store::v1::value::Refused;
use rpc_schema_tests::schema::store::v1::{Key, StoreClient, StoreError, Value};

/// `store.v1.Store` as it was before its revision 1.1.
mod earlier {
    use futures_util::Stream;
    use rpc_runtime::Context;
    use rpc_runtime::codec::Protobuf;
    use rpc_schema_tests::schema::store::v1::value::Refused;
    use rpc_schema_tests::schema::store::v1::{Key, StoreError, Value};

    #[rpc_runtime::rpc_service(name = "store.v1.Store", codec = Protobuf, rename_all = "PascalCase")]
    pub(super) trait Store {
        fn list(&self, request: Key) -> impl Stream<Item = Result<Value, StoreError>>;
        async fn put(&self, ctx: &Context, request: Value) -> Result<Key, Refused>;
    }
}

struct Old;

impl earlier::Store for Old {
    fn list(&self, _: Key) -> impl Stream<Item = Result<Value, StoreError>> {
        stream::empty()
    }

    async fn put(&self, ctx: &Context, _: Value) -> Result<Key, Refused> {
        let caller = ctx.caller_schema().expect("the caller has a schema");
        Ok(Key {
            key: format!("{caller}, {:016x}", caller.fingerprint()),
            ..Key::default()
        })
    }
}

#[tokio::test]
async fn both_sides_learn_what_the_other_was_built_from() {
    let bound = Server::new()
        .add(earlier::StoreServer::new(Old))
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .expect("a port is free");
    let url = bound.url().to_owned();
    let serving = tokio::spawn(bound.serve());
    let store = StoreClient::connect(&url)
        .await
        .expect("the server is there");

    let told = store.put(Value::default()).await.expect("it is served").key;
    let (revision, fingerprint) = told.split_once(", ").expect("it has two parts");
    assert_eq!(revision, "revision 1.1");
    assert_ne!(fingerprint, "0000000000000000");

    let error = store.get(Key::default()).await.expect_err("it came later");
    let CallError::Status(status) = error else {
        panic!("{error:?} is no error of the method");
    };
    assert_eq!(status.code(), Code::Unimplemented);
    let text = status.message();
    for part in [
        "the service `store.v1.Store` has no method `Get`",
        "the method came with revision 1.1",
        "the peer has a schema with the fingerprint ",
        "this side revision 1.1",
    ] {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
    serving.abort();
}

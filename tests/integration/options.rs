//! Every option of a service, of a method and of an error type, by what it does over a wire.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use rpc_runtime::call::MethodKind;
use rpc_runtime::{
    Channel, Code, Context, Encoding, Limits, RpcClient, RpcError, Server, Status, Streaming,
    rpc_service,
};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, connect, serve};
use serde::{Deserialize, Serialize};

/// The runtime by another path.
mod renamed {
    pub(super) use rpc_runtime::*;
}

/// What can go wrong.
#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcError)]
#[rpc(error_code = Aborted, crate = crate::options::renamed)]
enum ShopError {
    #[error("there is no {name}")]
    #[rpc(error_code = NotFound)]
    NoSuchItem { name: String },
    #[error("closed")]
    Closed,
}

/// An error without a code.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("no code")]
struct Codeless;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    name: String,
    count: u8,
}

/// Sells things.
///
/// To everyone.
#[rpc_service(
    name = "options.Shop",
    version = "v2",
    rename_all = "camelCase",
    crate = crate::options::renamed
)]
trait Shop {
    /// Counts what is there.
    ///
    /// Never less than zero.
    #[rpc(read_only, since = "2.1")]
    async fn count_items(&self, name: String, r#type: u8) -> Result<u8, ShopError>;

    #[rpc(name = "buy-it", idempotent)]
    async fn buy(&self, name: String) -> Result<u8, ShopError>;

    #[rpc(bare)]
    async fn order(&self, order: Order) -> String;

    #[rpc(blocking)]
    fn thread_blocking(&self) -> String;

    async fn thread_async(&self) -> String;

    #[rpc(timeout = "7s")]
    async fn remaining(&self, ctx: &Context) -> Option<Duration>;

    #[rpc(timeout = "150ms")]
    async fn hang(&self) -> u8;

    #[deprecated(note = "use `buy`")]
    async fn take(&self) -> u8;

    async fn codeless(&self) -> Result<u8, Codeless>;

    fn names(&self, prefixes: Streaming<String>) -> impl Stream<Item = Result<String, ShopError>>;
}

struct Corner;

impl Shop for Corner {
    async fn count_items(&self, name: String, r#type: u8) -> Result<u8, ShopError> {
        match name.as_str() {
            "apple" => Ok(r#type),
            _ => Err(ShopError::NoSuchItem { name }),
        }
    }

    async fn buy(&self, _name: String) -> Result<u8, ShopError> {
        Err(ShopError::Closed)
    }

    async fn order(&self, order: Order) -> String {
        format!("{} {}", order.count, order.name)
    }

    fn thread_blocking(&self) -> String {
        format!("{:?}", thread::current().id())
    }

    async fn thread_async(&self) -> String {
        format!("{:?}", thread::current().id())
    }

    async fn remaining(&self, ctx: &Context) -> Option<Duration> {
        ctx.remaining()
    }

    async fn hang(&self) -> u8 {
        std::future::pending().await
    }

    async fn take(&self) -> u8 {
        1
    }

    async fn codeless(&self) -> Result<u8, Codeless> {
        Err(Codeless)
    }

    fn names(&self, prefixes: Streaming<String>) -> impl Stream<Item = Result<String, ShopError>> {
        prefixes.map(|prefix| match prefix {
            Ok(prefix) => Ok(prefix + "!"),
            Err(_) => Err(ShopError::Closed),
        })
    }
}

async fn shop() -> (Serving, Channel) {
    let serving = serve("tcp", Server::new().add(ShopServer::new(Corner))).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    (serving, channel)
}

#[test]
fn the_descriptor_says_what_the_trait_says() {
    let service = ShopClient::SERVICE;
    assert_eq!(service.name(), "options.v2.Shop");
    assert_eq!(service.declared_version(), Some("v2"));
    assert_eq!(service.documentation(), "Sells things.\n\nTo everyone.");
    let methods: BTreeMap<_, _> = service.methods().iter().map(|it| (it.name(), it)).collect();
    assert_eq!(methods.len(), 10);

    let count = methods["countItems"];
    assert_eq!(count.path(), "options.v2.Shop/countItems");
    assert_eq!(count.args(), ["name", "type"]);
    assert!(count.is_read_only() && count.is_idempotent());
    assert_eq!(count.added_in(), Some("2.1"));
    let documentation = "Counts what is there.\n\nNever less than zero.";
    assert_eq!(count.documentation(), documentation);

    let buy = methods["buy-it"];
    assert!(buy.is_idempotent() && !buy.is_read_only());
    assert_eq!(buy.added_in(), None);
    assert_eq!(buy.default_timeout(), None);
    assert!(methods["order"].is_bare() && !buy.is_bare());
    assert!(methods["threadBlocking"].is_blocking() && !methods["threadAsync"].is_blocking());
    assert!(methods["take"].is_deprecated() && !buy.is_deprecated());
    let timeout = methods["remaining"].default_timeout();
    assert_eq!(timeout, Some(Duration::from_secs(7)));
    assert_eq!(methods["remaining"].args(), [""; 0]);
    assert_eq!(methods["names"].kind(), MethodKind::Bidirectional);
    assert_eq!(methods["names"].args(), [""; 0]);
}

#[tokio::test]
async fn names_on_the_wire_follow_name_version_and_rename_all() {
    let (_serving, channel) = shop().await;
    let count = channel.call::<_, u8>("options.v2.Shop/countItems", ("apple", 3));
    assert_eq!(count.await.unwrap(), 3);
    for path in [
        "options.Shop/countItems",
        "options.v2.Shop/count_items",
        "options.v2.Shop/buy",
    ] {
        let call = channel.call::<_, u8>(path, ("apple", 3));
        assert_eq!(
            call.await.unwrap_err().code(),
            Code::Unimplemented,
            "{path}"
        );
    }
    // The typed client goes by the same names.
    let shop = ShopClient::from_channel(channel);
    assert_eq!(shop.count_items("apple".into(), 3).await.unwrap(), 3);
}

#[tokio::test]
async fn a_peer_that_does_not_know_the_error_sees_its_code() {
    let (_serving, channel) = shop().await;
    let count = channel.call::<_, u8>("options.v2.Shop/countItems", ("pear", 3));
    let status = count.await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "there is no pear");
    // Without a code of its own a variant has that of its type.
    let buy = channel.call::<_, u8>("options.v2.Shop/buy-it", ("pear",));
    assert_eq!(buy.await.unwrap_err().code(), Code::Aborted);
    // A type without any has none.
    let codeless = channel.call::<_, u8>("options.v2.Shop/codeless", ());
    assert_eq!(codeless.await.unwrap_err().code(), Code::Unknown);
    // One that knows the error sees the error.
    let shop = ShopClient::from_channel(channel);
    let error = shop.count_items("pear".into(), 3).await.unwrap_err();
    let name = "pear".to_owned();
    assert_eq!(error.app(), Some(&ShopError::NoSuchItem { name }));
    let mut names = shop.names(stream::iter(["a".to_owned()]));
    assert_eq!(names.next().await.unwrap().unwrap(), "a!");
}

#[tokio::test]
async fn bare_makes_the_argument_the_whole_message() {
    /// The same service, as one that does not know of `bare`.
    #[rpc_service(name = "options.v2.Shop")]
    trait Named {
        async fn order(&self, name: String, count: u8) -> String;
    }

    let (_serving, channel) = shop().await;
    let order = Order {
        name: "apples".to_owned(),
        count: 3,
    };
    let shop = ShopClient::from_channel(channel.clone());
    assert_eq!(shop.order(order).await.unwrap(), "3 apples");
    // Arguments travel as a map, and so does a struct in JSON. With one map around the other this
    // call would miss its arguments.
    let named = NamedClient::from_channel(channel.with_encoding(Encoding::JSON));
    let answer = named.order("apples".to_owned(), 3).await.unwrap();
    assert_eq!(answer, "3 apples");
}

#[tokio::test(flavor = "current_thread")]
async fn blocking_methods_leave_the_reactor_alone() {
    let (_serving, channel) = shop().await;
    let shop = ShopClient::from_channel(channel);
    let reactor = format!("{:?}", thread::current().id());
    assert_eq!(shop.thread_async().await.unwrap(), reactor);
    assert_ne!(shop.thread_blocking().await.unwrap(), reactor);
}

#[tokio::test]
async fn a_timeout_is_the_deadline_of_calls_that_name_none() {
    let (_serving, channel) = shop().await;
    let shop = ShopClient::from_channel(channel);
    let remaining = shop.remaining().await.unwrap().unwrap();
    assert!(remaining <= Duration::from_secs(7), "{remaining:?}");
    assert!(remaining > Duration::from_secs(2), "{remaining:?}");
    let named = shop.remaining().timeout(Duration::from_secs(60)).await;
    assert!(named.unwrap().unwrap() > Duration::from_secs(7));
    let status = shop.hang().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn deprecated_methods_still_work() {
    let (_serving, channel) = shop().await;
    let shop = ShopClient::from_channel(channel);
    #[expect(deprecated, reason = "the attribute is carried over to the client")]
    let taken = shop.take();
    assert_eq!(taken.await.unwrap(), 1);
}

/// The same service twice, with two codecs.
mod plain {
    use super::*;

    #[rpc_service(name = "options.Echo")]
    pub(super) trait Echo {
        async fn echo(&self, text: String) -> String;
    }

    pub(super) struct Same;

    impl Echo for Same {
        async fn echo(&self, text: String) -> String {
            text
        }
    }
}

mod postcard {
    use super::*;

    #[rpc_service(name = "options.Echo", codec = rpc_runtime::codec::SerdeWithPostcard)]
    pub(super) trait Echo {
        async fn echo(&self, text: String) -> String;
    }

    pub(super) struct Same;

    impl Echo for Same {
        async fn echo(&self, text: String) -> String {
            text
        }
    }
}

#[tokio::test]
async fn the_codec_says_which_encodings_there_are() {
    let server = Server::new().add(postcard::EchoServer::new(postcard::Same));
    let serving = serve("tcp", server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let echo = postcard::EchoClient::from_channel(channel.clone());
    for encoding in [Encoding::POSTCARD, Encoding::JSON, Encoding::MESSAGE_PACK] {
        let text = echo.echo("a".to_owned()).encoding(encoding).await;
        assert_eq!(text.unwrap(), "a", "{encoding:?}");
    }
    // Its default is another one than that of `Serde`, whose client gets along with it.
    let echo = plain::EchoClient::from_channel(channel);
    assert_eq!(echo.echo("a".to_owned()).await.unwrap(), "a");
}

#[tokio::test]
async fn a_codec_refuses_what_it_has_not_and_lists_what_it_has() {
    let server = Server::new().add(plain::EchoServer::new(plain::Same));
    let serving = serve("tcp", server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    // This client speaks Postcard unless told otherwise.
    let echo = postcard::EchoClient::from_channel(channel.clone());
    let status = echo.echo("a".to_owned()).await.unwrap_err();
    assert!(status.is_remote(), "{status}");
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    assert!(status.message().contains("msgpack, json"), "{status}");
    let json = echo.echo("a".to_owned()).encoding(Encoding::JSON);
    assert_eq!(json.await.unwrap(), "a");
    // The other client does not even send it.
    let echo = plain::EchoClient::from_channel(channel);
    let postcard = echo.echo("a".to_owned()).encoding(Encoding::POSTCARD);
    let status = postcard.await.unwrap_err();
    assert!(status.to_string().contains("msgpack, json"), "{status}");
}

/// A service whose client can stand in for it.
#[rpc_service(client_trait)]
trait Store {
    async fn get(&self, key: String, ctx: &Context) -> Result<String, Status>;
    async fn put(&self, values: Streaming<String>) -> Result<usize, Status>;
    fn keys(&self, count: u8) -> impl Stream<Item = Result<String, Status>>;
}

struct Memory;

impl Store for Memory {
    async fn get(&self, key: String, ctx: &Context) -> Result<String, Status> {
        if key == "missing" {
            return Err(Status::not_found("no such key"));
        }
        Ok(format!("{key} by {}", ctx.method().path()))
    }

    async fn put(&self, values: Streaming<String>) -> Result<usize, Status> {
        Ok(values
            .filter(|it| std::future::ready(it.is_ok()))
            .count()
            .await)
    }

    fn keys(&self, count: u8) -> impl Stream<Item = Result<String, Status>> {
        stream::iter(0..count).map(|key| match key {
            200.. => Err(Status::out_of_range("there are 200 keys")),
            key => Ok(key.to_string()),
        })
    }
}

/// Code that does not know whether the store is here or elsewhere.
async fn count_keys(store: &impl Store) -> usize {
    let keys = store.keys(3).collect::<Vec<_>>().await;
    keys.into_iter().filter(Result::is_ok).count()
}

#[tokio::test]
async fn a_client_can_stand_in_for_its_service() {
    let serving = serve("tcp", Server::new().add(StoreServer::new(Memory))).await;
    let client = StoreClient::connect(&serving.url).await.unwrap();
    assert_eq!(count_keys(&Memory).await, 3);
    assert_eq!(count_keys(&client).await, 3);
    // It can even be served, which makes a proxy.
    let proxy = serve("tcp", Server::new().add(StoreServer::new(client))).await;
    let client = StoreClient::connect(&proxy.url).await.unwrap();
    assert_eq!(client.get("a".into()).await.unwrap(), "a by Store/get");
    let values = stream::iter(["a".to_owned(), "b".to_owned()]);
    assert_eq!(client.put(values).await.unwrap(), 2);
    assert_eq!(count_keys(&client).await, 3);
}

/// The codes of a call that is refused and of a stream that fails behind its items.
async fn codes(store: &StoreClient) -> [Code; 2] {
    let refused = store.get("missing".into()).await.unwrap_err();
    let keys: Vec<_> = store.keys(255).collect().await;
    assert_eq!(keys.len(), 201);
    let broken = keys.into_iter().find_map(Result::err).unwrap();
    [refused.code(), broken.code()]
}

#[tokio::test]
async fn a_proxy_says_what_the_server_behind_said_where_it_is_told_to() {
    let expected = [Code::NotFound, Code::OutOfRange];
    let behind = serve("tcp", Server::new().add(StoreServer::new(Memory))).await;
    let channel = Channel::connect(&behind.url).await.unwrap();
    let hiding = StoreClient::from_channel(channel.clone());
    assert_eq!(codes(&hiding).await, expected);
    let telling = StoreClient::from_channel(channel.with_forwarding());
    assert_eq!(codes(&telling).await, expected);
    for (implementation, expected) in [(hiding, [Code::Internal; 2]), (telling, expected)] {
        let server = Server::new().add(StoreServer::new(implementation));
        let proxy = serve("tcp", server).await;
        let store = StoreClient::connect(&proxy.url).await.unwrap();
        assert_eq!(codes(&store).await, expected);
    }
}

/// "Never" is written as the longest time that there is, and no arithmetic with it may fail.
#[tokio::test]
async fn times_and_sizes_without_an_end_are_far_ahead() {
    const NEVER: Duration = Duration::MAX;
    let limits = || {
        Limits::new()
            .max_message(usize::MAX)
            .max_metadata(usize::MAX)
            .max_buffered(usize::MAX)
            .max_outgoing(usize::MAX)
            .max_batch(usize::MAX)
            .max_subscriptions(usize::MAX)
            .max_element_memory(usize::MAX)
            .max_stack(usize::MAX)
            .max_calls(u32::MAX)
            .stream_window(u32::MAX)
            .message_timeout(NEVER)
    };
    for transport in [
        "mem",
        "tls",
        "ws",
        "grpc",
        "connect+http",
        "connect+http1",
        "jsonrpc+tcp",
        "jsonrpc+ws",
        "lpjson",
    ] {
        let server = Server::new()
            .add(MathServer::new(Calculator::new()))
            .limits(limits())
            .keepalive(NEVER, NEVER)
            .idle_timeout(NEVER)
            .handshake_timeout(NEVER)
            .frame_timeout(NEVER)
            .cancel_grace(NEVER)
            .busy_poll(NEVER)
            .shutdown_timeout(NEVER)
            .drain_delay(NEVER);
        let serving = serve(transport, server).await;
        let connecting = connect(&serving.url)
            .limits(limits())
            .busy_poll(NEVER)
            .keepalive(NEVER, NEVER);
        let channel = connecting
            .connect_timeout(NEVER)
            .max_connections(usize::MAX)
            .await;
        let channel = channel.unwrap();
        let math = MathClient::new(channel.with_encoding(Encoding::JSON));
        for _ in 0..2 {
            let sum = math.add(2, 3).timeout(NEVER).await;
            assert_eq!(sum.unwrap(), 5, "{transport}");
        }
    }
}

//! An implementation may be written with less sugar than the trait, and may be generic.

use std::fmt::Display;
use std::future::{Future, Ready, ready};
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use rpc_runtime::{Context, rpc_service};

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
    async fn path(&self, ctx: &Context) -> String;
    fn words(&self) -> impl Stream<Item = String>;
}

struct Polite<T> {
    title: Arc<T>,
}

impl<T: Display + Send + Sync + 'static> Greeter for Polite<T> {
    fn greet(&self, name: String) -> impl Future<Output = String> + Send {
        let title = Arc::clone(&self.title);
        async move { format!("{title} {name}") }
    }

    #[allow(refining_impl_trait)]
    fn path(&self, ctx: &Context) -> Ready<String> {
        ready(ctx.method().path().to_owned())
    }

    #[allow(refining_impl_trait)]
    fn words(&self) -> BoxStream<'_, String> {
        stream::once(async { self.title.to_string() }).boxed()
    }
}

#[tokio::test]
async fn works() {
    let title = Arc::new("Dr.");
    let client = GreeterClient::new(GreeterServer::new(Polite { title }));
    assert_eq!(client.greet("Ann".to_owned()).await.unwrap(), "Dr. Ann");
    assert_eq!(client.path().await.unwrap(), "Greeter/path");
    assert_eq!(client.words().next().await.unwrap().unwrap(), "Dr.");
}

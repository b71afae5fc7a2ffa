//! Streams whose callers go on with them when a connection is lost.

mod bounds;
mod goes_on;
mod hostile;
mod unable;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::Stream;
use rpc_runtime::server::ShutdownHandle;
use rpc_runtime::testing::{Network, Plan};
use rpc_runtime::{Channel, Context, Limits, Server, Status, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
struct Item {
    number: u32,
    /// Which server made it.
    server: u32,
    filling: String,
}

#[rpc_service(name = "test.v1.Feed")]
trait Feed {
    /// Numbers from 0 on, with so many bytes beside each.
    #[rpc(resumable)]
    fn numbers(
        &self,
        ctx: &Context,
        count: u32,
        size: usize,
    ) -> impl Stream<Item = Result<Item, Status>>;

    /// The same, which may be asked for twice.
    #[rpc(resumable, idempotent)]
    fn again(&self, ctx: &Context, count: u32) -> impl Stream<Item = Result<Item, Status>>;

    /// The same, which nobody goes on with.
    fn plain(&self, ctx: &Context, count: u32) -> impl Stream<Item = Result<Item, Status>>;
}

/// What a server does, and what was done to it.
#[derive(Clone)]
struct Source {
    server: u32,
    /// How many items may be made, if not all at once.
    made: Arc<Semaphore>,
    /// The same of the other method.
    made_again: Arc<Semaphore>,
    gated: bool,
    /// How many items were made, how many streams began, and how many ended.
    items: Arc<AtomicU32>,
    began: Arc<AtomicU32>,
    ended: Arc<AtomicU32>,
    /// The signal of some call was given.
    cancelled: Arc<AtomicBool>,
}

impl Source {
    fn new() -> Self {
        Self {
            server: 0,
            made: Arc::new(Semaphore::new(0)),
            made_again: Arc::new(Semaphore::new(0)),
            gated: false,
            items: Arc::default(),
            began: Arc::default(),
            ended: Arc::default(),
            cancelled: Arc::default(),
        }
    }

    /// Makes only as many items as it is let.
    fn gated() -> Self {
        Self {
            gated: true,
            ..Self::new()
        }
    }

    fn began(&self) -> u32 {
        self.began.load(Ordering::SeqCst)
    }

    fn ended(&self) -> u32 {
        self.ended.load(Ordering::SeqCst)
    }

    fn items(&self) -> u32 {
        self.items.load(Ordering::SeqCst)
    }

    fn stream(
        &self,
        ctx: &Context,
        count: u32,
        size: usize,
    ) -> impl Stream<Item = Result<Item, Status>> + use<> {
        let source = self.clone();
        source.began.fetch_add(1, Ordering::SeqCst);
        let ended = Ended(Arc::clone(&source.ended));
        let (cancelled, given) = (ctx.cancelled(), Arc::clone(&source.cancelled));
        tokio::spawn(async move {
            cancelled.await;
            given.store(true, Ordering::SeqCst);
        });
        async_stream::try_stream! {
            let _ended = ended;
            for number in 0..count {
                if source.gated {
                    source.made.acquire().await.expect("it is never closed").forget();
                }
                source.items.fetch_add(1, Ordering::SeqCst);
                yield Item {
                    number,
                    server: source.server,
                    filling: "x".repeat(size),
                };
            }
        }
    }

    fn server(&self) -> Server {
        Server::new().add(FeedServer::new(self.clone()))
    }
}

struct Ended(Arc<AtomicU32>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Feed for Source {
    fn numbers(
        &self,
        ctx: &Context,
        count: u32,
        size: usize,
    ) -> impl Stream<Item = Result<Item, Status>> {
        self.stream(ctx, count, size)
    }

    fn again(&self, ctx: &Context, count: u32) -> impl Stream<Item = Result<Item, Status>> {
        let source = Self {
            made: Arc::clone(&self.made_again),
            ..self.clone()
        };
        source.stream(ctx, count, 0)
    }

    fn plain(&self, ctx: &Context, count: u32) -> impl Stream<Item = Result<Item, Status>> {
        self.stream(ctx, count, 0)
    }
}

/// A network whose links are as said, with one server at `a`.
struct Place {
    network: Network,
    stop: ShutdownHandle,
    /// Nobody can connect while this is so.
    closed: Arc<AtomicBool>,
}

impl Place {
    fn new(server: Server, plan: impl Fn(u64) -> Plan + Send + Sync + 'static) -> Self {
        let network = Network::new(7).plan(move |_, link| plan(link));
        let connections = server.connections();
        let stop = connections.shutdown_handle();
        network.serve("a", connections);
        Self {
            network,
            stop,
            closed: Arc::default(),
        }
    }

    /// A network on which nothing goes wrong by itself.
    fn calm(server: Server) -> Self {
        Self::new(server, |_| Plan::default())
    }

    fn channel(&self) -> Channel {
        self.channel_with(Limits::new())
    }

    fn channel_with(&self, limits: Limits) -> Channel {
        let (network, closed) = (self.network.clone(), Arc::clone(&self.closed));
        let connect = Channel::connect_with("a", move || {
            let made = match closed.load(Ordering::SeqCst) {
                true => Err(std::io::ErrorKind::ConnectionRefused.into()),
                false => network.connect("a"),
            };
            std::future::ready(made)
        });
        connect.limits(limits).lazy().expect("it has an address")
    }

    fn client(&self) -> FeedClient {
        FeedClient::new(self.channel())
    }

    fn reset(&self) {
        self.network.strike("a", rpc_runtime::testing::Fault::Reset);
    }

    /// Cuts the links, and lets nobody connect again.
    fn cut_off(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.reset();
    }
}

/// Reads so many items, which come in order.
async fn read(stream: &mut rpc_runtime::ResponseStream<Item>, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let item = stream
            .next()
            .await
            .expect("it goes on")
            .expect("it is well");
        assert_eq!(item.number, number);
    }
}

//! A service that tells what happens to its handlers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures_util::{Stream, stream};
use rpc_runtime::server::BlockingThreads;
use rpc_runtime::{Channel, Code, Context, Limits, Server, Status, Streaming, rpc_service, shield};
use rpc_tests::eventually;
use rpc_tests::serving::{Serving, connect, serve};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
use tokio::sync::{Semaphore, mpsc};

/// What happened to a handler.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Started,
    /// The token fired.
    Cancelled,
    /// The handler's future is gone, or its stream.
    Dropped,
    /// Work in `shield` came to its end.
    Shielded,
    /// A task of `Context::spawn` is gone.
    SpawnedDropped,
    /// A blocking handler came to its end.
    Blocked,
    /// An upload ended after so many items: well, or with this code.
    Upload(u64, Result<(), Code>),
}

/// How a stream goes on after its items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Then {
    End,
    Panic,
    Fail,
    Wait,
}

/// Where a panic is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Panics {
    Handler,
    Destructor,
    Serialize,
    ResultDestructor,
    Never,
}

/// A value that panics in one of its parts.
#[derive(Debug)]
pub(crate) struct Trap(pub(crate) Panics);

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != Panics::Serialize, "`Serialize` panics on purpose");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let panics = Panics::deserialize(deserializer)?;
        assert!(panics != Panics::Handler, "`Deserialize` panics on purpose");
        Ok(Self(Panics::Never))
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        let here = matches!(self.0, Panics::Destructor | Panics::ResultDestructor);
        assert!(
            !here || std::thread::panicking(),
            "a destructor panics on purpose"
        );
    }
}

#[rpc_service(name = "test.v1.Probe")]
pub(crate) trait Probe {
    async fn add(&self, a: i64, b: i64) -> i64;

    /// Never ends.
    async fn wait(&self, ctx: &Context) -> i64;

    /// Ends when the test opens the gate.
    async fn hold(&self) -> i64;

    /// The same, and returns so many bytes.
    async fn hold_bytes(&self, bytes: u64) -> ByteBuf;

    /// Starts work of each kind, and never ends.
    async fn work(&self, ctx: &Context) -> i64;

    /// Blocks its thread until the test opens the gate.
    #[rpc(blocking)]
    fn block(&self) -> i64;

    /// Streams so many items.
    fn give(&self, items: u64, then: Then) -> impl Stream<Item = Result<u64, Status>>;

    /// Streams items of so many bytes, without end.
    fn flow(&self, bytes: u64) -> impl Stream<Item = ByteBuf>;

    /// Reads an upload to its end.
    async fn collect(&self, numbers: Streaming<Trap>) -> Result<u64, Status>;

    /// Tells how many milliseconds the call has left.
    async fn time_left(&self, ctx: &Context) -> Result<u64, Status>;

    /// Tells it of a call made by a handler.
    async fn time_left_onward(&self) -> Result<u64, Status>;

    /// Waits for a call made by a handler.
    async fn wait_onward(&self) -> Result<i64, Status>;

    async fn echo(&self, bytes: ByteBuf) -> ByteBuf;

    /// Returns a value that nests so deep.
    async fn nest(&self, levels: u64) -> serde_json::Value;

    /// Takes a value of any depth.
    async fn take(&self, value: serde_json::Value) -> u64;

    /// Adds so many bytes of metadata to its reply.
    async fn metadata(&self, bytes: u64, ctx: &Context) -> u64;

    /// Panics.
    async fn spring(&self, panics: Panics) -> Trap;

    /// Takes a value whose `Deserialize` panics.
    async fn step_on(&self, trap: Trap) -> u64;

    /// Panics on a thread of its own.
    #[rpc(blocking)]
    fn panic_blocking(&self) -> u64;
}

/// What the handlers share with the test.
#[derive(Clone)]
pub(crate) struct Shared {
    events: mpsc::UnboundedSender<Event>,
    pub(crate) started: Arc<AtomicUsize>,
    pub(crate) produced: Arc<AtomicUsize>,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) blocking_gate: Arc<(Mutex<usize>, Condvar)>,
    pub(crate) threads: Arc<Mutex<Option<BlockingThreads>>>,
    onward: Option<ProbeClient>,
}

pub(crate) struct Prober(pub(crate) Shared);

impl Shared {
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn start(&self) {
        self.started.fetch_add(1, Ordering::SeqCst);
        self.tell(Event::Started);
    }

    fn on_drop(&self, event: Event) -> OnDrop {
        OnDrop(self.clone(), event)
    }

    fn onward(&self) -> &ProbeClient {
        self.onward.as_ref().expect("the test gave a next server")
    }

    pub(crate) fn open_blocking_gate(&self) {
        *self.blocking_gate.0.lock().unwrap() += 1;
        self.blocking_gate.1.notify_one();
    }

    pub(crate) fn count(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

struct OnDrop(Shared, Event);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.tell(self.1.clone());
    }
}

impl Probe for Prober {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn wait(&self, ctx: &Context) -> i64 {
        let _gone = self.0.on_drop(Event::Dropped);
        self.0.start();
        ctx.cancelled().await;
        self.0.tell(Event::Cancelled);
        std::future::pending().await
    }

    async fn hold(&self) -> i64 {
        self.0.start();
        self.0
            .gate
            .acquire()
            .await
            .expect("the gate stays")
            .forget();
        7
    }

    async fn hold_bytes(&self, bytes: u64) -> ByteBuf {
        self.hold().await;
        ByteBuf::from(vec![7; usize::try_from(bytes).unwrap()])
    }

    async fn work(&self, ctx: &Context) -> i64 {
        *self.0.threads.lock().unwrap() = ctx.extension::<BlockingThreads>().cloned();
        let _gone = self.0.on_drop(Event::Dropped);
        let spawned = self.0.on_drop(Event::SpawnedDropped);
        drop(ctx.spawn(async move {
            let _gone = spawned;
            std::future::pending::<()>().await;
        }));
        let shared = self.0.clone();
        let shielded = shield(async move {
            shared
                .gate
                .acquire()
                .await
                .expect("the gate stays")
                .forget();
            shared.tell(Event::Shielded);
        });
        self.0.start();
        let _ = shielded.await;
        std::future::pending().await
    }

    fn block(&self) -> i64 {
        *self.0.threads.lock().unwrap() =
            Context::current().and_then(|it| it.extension::<BlockingThreads>().cloned());
        self.0.start();
        let (gate, opened) = &*self.0.blocking_gate;
        let mut gate = gate.lock().unwrap();
        while *gate == 0 {
            gate = opened.wait(gate).unwrap();
        }
        *gate -= 1;
        self.0.tell(Event::Blocked);
        8
    }

    fn give(&self, items: u64, then: Then) -> impl Stream<Item = Result<u64, Status>> {
        async_stream::stream! {
            let _gone = self.0.on_drop(Event::Dropped);
            self.0.start();
            for item in 0..items {
                yield Ok(item);
            }
            match then {
                Then::End => {}
                Then::Panic => panic!("a stream panics on purpose"),
                Then::Fail => yield Err(Status::data_loss("no more")),
                Then::Wait => std::future::pending().await,
            }
        }
    }

    fn flow(&self, bytes: u64) -> impl Stream<Item = ByteBuf> {
        let item = vec![7; usize::try_from(bytes).unwrap()];
        let produced = Arc::clone(&self.0.produced);
        stream::repeat_with(move || {
            produced.fetch_add(1, Ordering::SeqCst);
            ByteBuf::from(item.clone())
        })
    }

    async fn collect(&self, mut numbers: Streaming<Trap>) -> Result<u64, Status> {
        self.0.start();
        let mut count = 0;
        let end = loop {
            match numbers.next().await {
                Some(Ok(_)) => count += 1,
                Some(Err(status)) => break Err(status.code()),
                None => break Ok(()),
            }
        };
        self.0.tell(Event::Upload(count, end));
        end.map(|()| count)
            .map_err(|code| Status::new(code, "the upload broke off"))
    }

    async fn time_left(&self, ctx: &Context) -> Result<u64, Status> {
        let left = ctx
            .remaining()
            .ok_or_else(|| Status::not_found("no deadline"))?;
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    async fn time_left_onward(&self) -> Result<u64, Status> {
        self.0.onward().time_left().await
    }

    async fn wait_onward(&self) -> Result<i64, Status> {
        self.0.onward().wait().await
    }

    async fn echo(&self, bytes: ByteBuf) -> ByteBuf {
        bytes
    }

    async fn nest(&self, levels: u64) -> serde_json::Value {
        nested(levels)
    }

    async fn take(&self, _value: serde_json::Value) -> u64 {
        1
    }

    async fn metadata(&self, bytes: u64, ctx: &Context) -> u64 {
        let value = "v".repeat(usize::try_from(bytes).unwrap());
        ctx.add_reply_metadata("large", value);
        bytes
    }

    async fn spring(&self, panics: Panics) -> Trap {
        assert!(panics != Panics::Handler, "a handler panics on purpose");
        let _local = (panics == Panics::Destructor).then_some(Trap(panics));
        Trap(if panics == Panics::Destructor {
            Panics::Never
        } else {
            panics
        })
    }

    async fn step_on(&self, _trap: Trap) -> u64 {
        1
    }

    fn panic_blocking(&self) -> u64 {
        panic!("a blocking handler panics on purpose")
    }
}

/// Makes a value that nests so deep.
pub(crate) fn nested(levels: u64) -> serde_json::Value {
    (0..levels).fold(serde_json::Value::Null, |inner, _| {
        serde_json::Value::Array(vec![inner])
    })
}

/// No event takes longer than this, on the slowest machine that runs the tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A server of the probe, a client of it, and what its handlers tell.
pub(crate) struct Probing {
    pub(crate) serving: Serving,
    pub(crate) client: ProbeClient,
    pub(crate) channel: Channel,
    pub(crate) shared: Shared,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Probing {
    pub(crate) async fn on(transport: &str) -> Self {
        Self::with(transport, |it| it, None).await
    }

    /// Serves with limits for both sides.
    pub(crate) async fn limited(transport: &str, server: Limits, client: Limits) -> Self {
        let mut probing = Self::with(transport, |it| it.limits(server), None).await;
        let connect = connect(&probing.serving.url).limits(client);
        probing.channel = connect.await.expect("the server listens");
        probing.client = ProbeClient::new(probing.channel.clone());
        probing
    }

    /// Serves with these settings, and with a server behind the server.
    pub(crate) async fn with(
        transport: &str,
        configure: impl FnOnce(Server) -> Server,
        onward: Option<&Probing>,
    ) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let shared = Shared {
            events: sender,
            started: Arc::default(),
            produced: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            blocking_gate: Arc::default(),
            threads: Arc::default(),
            onward: onward.map(|it| it.client.clone()),
        };
        let server = Server::new().add(ProbeServer::new(Prober(shared.clone())));
        let serving = serve(transport, configure(server)).await;
        // What is tested there is said by hand.
        let url = serving.url.replacen("jsonrpc+ws", "ws", 1);
        // Over HTTP/1.1 each call has one for itself.
        let connect = connect(&url).max_connections(32);
        let channel = connect.await.expect("the server listens");
        Self {
            client: ProbeClient::new(channel.clone()),
            channel,
            serving,
            shared,
            events,
        }
    }

    /// Returns the next event.
    pub(crate) async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event
            .expect("the event comes in time")
            .expect("the server holds a sender")
    }

    /// Waits for all of these events, in any order.
    pub(crate) async fn expect(&mut self, events: &[Event]) {
        let mut missing = events.to_vec();
        while !missing.is_empty() {
            let event = self.event().await;
            let at = missing.iter().position(|it| *it == event);
            let at = at.unwrap_or_else(|| panic!("{event:?} came, {missing:?} were awaited"));
            missing.remove(at);
        }
    }

    /// Waits until the server runs no call.
    pub(crate) async fn quiet(&self) {
        eventually("the server runs no call", || {
            self.serving.stop.running_calls() == 0
        })
        .await;
    }

    /// Makes sure that a client and its connection work.
    pub(crate) async fn works(&self) {
        assert_eq!(
            bounded(self.client.add(2, 3).into_future()).await.unwrap(),
            5
        );
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        // A test that failed must not wait for its blocking handlers.
        *self.shared.blocking_gate.0.lock().unwrap() += 1 << 20;
        self.shared.blocking_gate.1.notify_all();
    }
}

/// Bounds what must come.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it comes in time")
}

//! Streams over a connection of texts: the call is answered with an id, and each item, the end and a
//! failure are notifications that name it.
//!
//! An item waits in its stream while too much waits to be written, so a peer that reads slowly slows
//! its subscriptions down; none is lost, and nothing grows.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};

use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::dialect::{Dialect, Notification};
use super::session::too_large;
use super::text::{Text, put_value};
use crate::call::{BodyFrame, Limits, Message};
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::catch_panic::panicked;
use crate::wire::config::{RunningCall, RunningCalls};
use crate::wire::running::Replying;

/// Items that are ready together travel together, up to about so many bytes.
const AT_ONCE: usize = 4 << 10;

/// The subscriptions of one connection. Dropping it ends them all.
pub(super) struct Subscriptions {
    notification: fn(&str, &str) -> Notification,
    texts: mpsc::Sender<Text>,
    open: Arc<Mutex<Open>>,
    places: Arc<RunningCalls>,
    budget: Arc<Budget>,
    max_message: usize,
}

#[derive(Default)]
struct Open {
    last: u64,
    tasks: HashMap<u64, AbortHandle>,
}

/// A stream that a service has accepted.
pub(super) struct Opening<'a> {
    pub(super) replying: Replying,
    /// Held while it is open.
    pub(super) places: (RunningCall, RunningCall),
    /// What the peer called.
    pub(super) method: &'a str,
    /// How it is answered, and to which call.
    pub(super) dialect: &'static Dialect,
    pub(super) call: Option<&'a str>,
}

impl Subscriptions {
    pub(super) fn new(
        notification: fn(&str, &str) -> Notification,
        texts: mpsc::Sender<Text>,
        limits: &Limits,
        budget: &Arc<Budget>,
    ) -> Self {
        Self {
            notification,
            texts,
            open: Arc::default(),
            places: RunningCalls::of_subscriptions(limits.max_subscriptions),
            budget: Arc::clone(budget),
            max_message: limits.max_message,
        }
    }

    /// Takes a place for one more.
    pub(super) fn place(&self) -> Result<RunningCall, Status> {
        self.places.begin()
    }

    /// Begins to tell the peer of a stream, first of its id.
    pub(super) fn begin(&self, opening: Opening<'_>) {
        let mut open = lock(&self.open);
        open.last += 1;
        let number = open.last;
        let id = format!("{number:#x}");
        let Opening { dialect, call, .. } = opening;
        let mut answer = BytesMut::new();
        (dialect.before_result)(&mut answer, call);
        answer.put_slice(format!("\"{id}\"").as_bytes());
        (dialect.behind_result)(&mut answer, call);
        let feed = Feed {
            number,
            notification: (self.notification)(opening.method, &id),
            texts: self.texts.clone(),
            open: Arc::clone(&self.open),
            budget: Arc::clone(&self.budget),
            max_message: self.max_message,
            replying: opening.replying,
            usual: 0,
            _places: opening.places,
        };
        let task = tokio::spawn(feed.run(answer));
        open.tasks.insert(number, task.abort_handle());
    }

    /// Ends the subscription that the parameters name, and says whether there was one. Items that
    /// were on their way may still come.
    pub(super) fn end(&self, params: Option<&RawValue>) -> Result<bool, Status> {
        let params = params.map_or("[]", RawValue::get);
        let by_position = serde_json::from_str::<(String,)>(params).map(|(id,)| id);
        let id = by_position.ok().or_else(|| {
            let mut named: HashMap<String, String> = serde_json::from_str(params).ok()?;
            named.remove("subscription")
        });
        let id = id.ok_or_else(|| {
            Status::invalid_argument("the parameter is the id of a subscription, a string")
        })?;
        let number = id.strip_prefix("0x");
        let number = number.and_then(|it| u64::from_str_radix(it, 16).ok());
        let task = number.and_then(|it| lock(&self.open).tasks.remove(&it));
        if let Some(task) = &task {
            task.abort();
        }
        Ok(task.is_some())
    }

    /// Says whether none is open, and `texts` has nothing of one.
    pub(super) fn are_over(&self, texts: &mpsc::Receiver<Text>) -> bool {
        lock(&self.open).tasks.is_empty() && texts.is_empty()
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        lock(&self.open).tasks.values().for_each(AbortHandle::abort);
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a stream is not read to its end.
enum Stop {
    Failed(Status),
    /// Nobody listens.
    Gone,
}

/// One subscription.
struct Feed {
    number: u64,
    notification: Notification,
    texts: mpsc::Sender<Text>,
    open: Arc<Mutex<Open>>,
    budget: Arc<Budget>,
    max_message: usize,
    replying: Replying,
    /// What a text took last.
    usual: usize,
    _places: (RunningCall, RunningCall),
}

impl Feed {
    /// Tells the peer of everything, until the stream ends or nobody listens.
    async fn run(mut self, answer: BytesMut) {
        let last = match self.tell(answer).await {
            Ok(last) => last,
            Err(Stop::Failed(status)) => (self.notification.error)(&status.into()),
            Err(Stop::Gone) => return,
        };
        self.finish(last).await;
    }

    /// Tells the peer of all but the end, and returns that.
    async fn tell(&mut self, answer: BytesMut) -> Result<BytesMut, Stop> {
        // It is small, and so takes nothing of the budget.
        let answer = Text::uncounted(answer, &self.budget);
        self.send(answer).await?;
        loop {
            let mut items = BytesMut::with_capacity(self.usual);
            let last = poll_fn(|cx| self.poll_items(cx, &mut items)).await;
            self.usual = items.len().next_power_of_two().min(2 * AT_ONCE);
            if !items.is_empty() {
                let items = Text::new(items, &self.budget).map_err(Stop::Failed)?;
                self.send(items).await?;
            }
            if let Some(last) = last {
                return Ok(last);
            }
        }
    }

    /// Hands a text on when there is room. A deadline that passes until then ends the stream behind it:
    /// one that always has items, or whose peer reads slowly, is asked for it nowhere else.
    async fn send(&mut self, text: Text) -> Result<(), Stop> {
        let Self {
            texts, replying, ..
        } = self;
        let mut late = None;
        let mut room = pin!(texts.reserve());
        let permit = poll_fn(|cx| {
            if let Poll::Ready(status) = replying.poll_expired(cx) {
                late = Some(status);
            }
            room.as_mut().poll(cx)
        });
        permit.await.map_err(|_| Stop::Gone)?.send(text);
        late.map_or(Ok(()), |status| Err(Stop::Failed(status)))
    }

    /// Appends the items that are there, up to about [`AT_ONCE`] bytes, and says how the stream ended,
    /// if it has.
    fn poll_items(
        &mut self,
        cx: &mut TaskContext<'_>,
        items: &mut BytesMut,
    ) -> Poll<Option<BytesMut>> {
        while items.len() < AT_ONCE {
            let appended = match self.replying.poll_frame(cx) {
                Poll::Pending if items.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(None) => {
                    let end = BytesMut::from(self.notification.end.as_bytes());
                    return Poll::Ready(Some(end));
                }
                Poll::Ready(Some(Ok(BodyFrame::Message(message)))) => self.item(items, message),
                Poll::Ready(Some(Ok(BodyFrame::Trailers(_)))) => Ok(()),
                Poll::Ready(Some(Err(status))) => Err(status),
            };
            if let Err(status) = appended {
                return Poll::Ready(Some((self.notification.error)(&status.into())));
            }
        }
        Poll::Ready(None)
    }

    /// Appends an item; nothing of one that fails.
    fn item(&self, out: &mut BytesMut, message: Message) -> Result<(), Status> {
        let start = out.len();
        let appended = self.append(out, start, message);
        if appended.is_err() {
            out.truncate(start);
        }
        appended
    }

    fn append(&self, out: &mut BytesMut, start: usize, message: Message) -> Result<(), Status> {
        let Notification {
            before,
            item,
            behind,
            ..
        } = &self.notification;
        if start > 0 {
            // Only a dialect on lines has subscriptions.
            out.put_u8(b'\n');
        }
        out.put_slice(before);
        out.put_slice(item.as_bytes());
        // How a value is written, and its destructor, are the user's own.
        let written = catch_unwind(AssertUnwindSafe(|| put_value(out, message)));
        written.unwrap_or_else(|_| Err(panicked("an item")))?;
        out.put_slice(behind.as_bytes());
        if out.len() - start > self.max_message {
            return Err(too_large(self.max_message));
        }
        Ok(())
    }

    /// Tells the peer how it ended, and gives up the place.
    async fn finish(mut self, last: BytesMut) {
        // Nobody reads it on, and the peer may take long to read so far.
        self.replying.give_up();
        let Ok(permit) = self.texts.reserve().await else {
            return;
        };
        let text = Text::new(self.ending(last), &self.budget).unwrap_or_else(|status| {
            // Why it failed takes more room than there is; that it did must be told all the same.
            let last = (self.notification.error)(&status.into());
            Text::uncounted(self.ending(last), &self.budget)
        });
        // In one step, so that the connection never looks as if it had nothing more to say.
        let mut open = lock(&self.open);
        open.tasks.remove(&self.number);
        permit.send(text);
    }

    /// Writes what the peer is told of the end.
    fn ending(&self, last: BytesMut) -> BytesMut {
        let Notification { before, behind, .. } = &self.notification;
        let mut out = BytesMut::from(&before[..]);
        out.unsplit(last);
        out.put_slice(behind.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_core::Stream;
    use futures_util::stream;
    use serde_json::Value;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::call::Body;
    use crate::codec::Encoding;
    use crate::wire::running::Running;

    /// In time that only passes while everybody waits.
    const PATIENCE: Duration = Duration::from_secs(600);

    /// The subscriptions of a connection, and what comes out of them.
    struct Here {
        subscriptions: Subscriptions,
        texts: mpsc::Receiver<Text>,
        budget: Arc<Budget>,
        running: Arc<RunningCalls>,
    }

    impl Here {
        /// With room for so many texts.
        fn new(room: usize) -> Self {
            let dialect = Dialect::JSON_RPC.subscription.unwrap();
            let (sender, texts) = mpsc::channel(room);
            let limits = Limits::default();
            let budget = Arc::new(Budget::new(limits.max_buffered, None));
            Self {
                subscriptions: Subscriptions::new(dialect, sender, &limits, &budget),
                texts,
                budget,
                running: RunningCalls::new(100),
            }
        }

        fn begin(
            &self,
            frames: impl Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
            deadline: Option<Instant>,
        ) {
            let counted = self.running.begin().unwrap();
            let running = Running::new(deadline, Duration::from_millis(1), counted);
            let places = RunningCalls::of_connection(2);
            self.subscriptions.begin(Opening {
                replying: Replying::new(Body::stream(frames), running),
                places: (places.begin().unwrap(), places.begin().unwrap()),
                method: "news",
                dialect: Dialect::JSON_RPC,
                call: Some("1"),
            });
        }

        /// Takes the last line of what the peer is told next.
        async fn told(&mut self) -> Value {
            let text = timeout(PATIENCE, self.texts.recv()).await;
            let text = text.expect("something is told").unwrap().bytes;
            let line = text.rsplit(|it| *it == b'\n').next();
            serde_json::from_slice(line.unwrap()).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_also_where_there_is_no_room_for_its_text() {
        let mut here = Here::new(1);
        let limit = Limits::default().max_buffered;
        let long = Status::data_loss("x".repeat(5_000));
        for (held, part) in [(0, "xxx"), (limit, "`max_buffered`")] {
            here.budget.try_charge(held).unwrap();
            here.begin(stream::iter([Err(long.clone())]), None);
            assert_eq!(here.told().await["id"], 1);
            let told = here.told().await;
            let text = told["params"]["error"]["message"].as_str();
            assert!(text.is_some_and(|it| it.contains(part)), "{told}");
            assert!(here.subscriptions.are_over(&here.texts));
            here.budget.release(held);
        }
    }

    /// Items without an end, each there at once.
    fn endless() -> impl Stream<Item = Result<BodyFrame, Status>> {
        stream::repeat_with(|| {
            let message = Message::encoded("5".into(), Encoding::JSON);
            Ok(BodyFrame::Message(message))
        })
    }

    /// Reads how a stream ended that may take a minute for it.
    async fn end_of(here: &mut Here) -> Value {
        let begun = Instant::now();
        loop {
            let mut told = here.told().await;
            let error = told["params"]["error"].take();
            if error.is_object() {
                return error;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{told}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_always_has_items_ends_at_its_deadline() {
        let mut here = Here::new(1);
        let deadline = Instant::now() + Duration::from_secs(5);
        here.begin(endless(), Some(deadline));
        assert_eq!(end_of(&mut here).await["code"], -32004);
        assert_eq!(Instant::now().duration_since(deadline).as_secs(), 0);
        assert!(here.subscriptions.are_over(&here.texts));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_peer_does_not_read_is_given_up_at_its_deadline() {
        let mut here = Here::new(1);
        let deadline = Instant::now() + Duration::from_secs(5);
        here.begin(endless(), Some(deadline));
        sleep(Duration::from_secs(4)).await;
        assert_eq!(here.running.count(), 1);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(here.running.count(), 0, "its handler is gone");
        assert_eq!(end_of(&mut here).await["code"], -32004);
    }
}

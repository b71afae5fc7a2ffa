//! Streams over a connection of texts: the call is answered with an id, and each item, the end and a
//! failure are notifications that name it.
//!
//! An item waits in its stream while too much waits to be written, so a peer that reads slowly slows
//! its subscriptions down; none is lost, and nothing grows.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        let Ok(answer) = Text::new(answer, &self.budget) else {
            // It is small, and so takes nothing of the budget.
            return;
        };
        if self.texts.send(answer).await.is_err() {
            return;
        }
        let last = loop {
            let mut items = BytesMut::with_capacity(self.usual);
            let last = poll_fn(|cx| self.poll_items(cx, &mut items)).await;
            self.usual = items.len().next_power_of_two().min(2 * AT_ONCE);
            if !items.is_empty() {
                let items = match Text::new(items, &self.budget) {
                    Ok(items) => items,
                    Err(status) => break (self.notification.error)(&status.into()),
                };
                if self.texts.send(items).await.is_err() {
                    return;
                }
            }
            if let Some(last) = last {
                break last;
            }
        };
        self.finish(last).await;
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
    async fn finish(self, last: BytesMut) {
        let Notification { before, behind, .. } = &self.notification;
        let mut out = BytesMut::from(&before[..]);
        out.unsplit(last);
        out.put_slice(behind.as_bytes());
        let Ok(permit) = self.texts.reserve().await else {
            return;
        };
        // In one step, so that the connection never looks as if it had nothing more to say.
        let mut open = lock(&self.open);
        open.tasks.remove(&self.number);
        if let Ok(text) = Text::new(out, &self.budget) {
            permit.send(text);
        }
    }
}

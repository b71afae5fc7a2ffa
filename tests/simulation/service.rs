//! A service whose handlers do what the caller's plan says, and note what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use rpc_runtime::{Context, RpcError, Status, Streaming, rpc_service, shield};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::trace::Trace;

/// The payload of panics that are part of the plan.
pub(crate) const PLANNED_PANIC: &str = "this panic is planned";

/// How a handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Good,
    Error,
    Panic,
}

/// What a handler does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) id: u64,
    /// Items of the answer.
    pub(crate) items: u32,
    /// Bytes of each item, or of the whole answer.
    pub(crate) size: u32,
    /// Milliseconds before each item, or before the answer.
    pub(crate) pause: u64,
    pub(crate) ending: Ending,
    /// Milliseconds of work that goes on whatever happens to the call.
    pub(crate) shielded: Option<u64>,
    /// Filling, for requests that are large.
    pub(crate) filling: serde_bytes::ByteBuf,
}

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) call: u64,
    pub(crate) index: u32,
    pub(crate) bytes: serde_bytes::ByteBuf,
}

impl Item {
    /// Makes the item that a stream has at this place.
    pub(crate) fn new(call: u64, index: u32, size: u32) -> Self {
        let byte = u8::try_from((call * 31 + u64::from(index)) % 251).unwrap_or(0);
        Self {
            call,
            index,
            bytes: serde_bytes::ByteBuf::from(vec![byte; size as usize]),
        }
    }
}

/// The service's own error.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize, RpcError)]
pub(crate) enum PlannedError {
    #[error("call {call} fails as planned")]
    #[rpc(error_code = FailedPrecondition)]
    Planned { call: u64 },
    #[error("the upload of call {call} broke off")]
    #[rpc(error_code = Aborted)]
    Upload { call: u64 },
}

/// All four patterns; none is idempotent.
#[rpc_service(name = "simulation.v1.Simulated")]
pub(crate) trait Simulated {
    /// One message each way.
    async fn unary(&self, ctx: &Context, plan: Plan) -> Result<Item, PlannedError>;
    /// One message, then a stream back.
    fn download(&self, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>>;
    /// A stream, then one message back: how many items came.
    async fn upload(&self, plan: Plan, items: Streaming<Item>) -> Result<u32, PlannedError>;
    /// A stream each way; each item that comes is answered by one, then the planned ones follow.
    fn both(
        &self,
        plan: Plan,
        items: Streaming<Item>,
    ) -> impl Stream<Item = Result<Item, PlannedError>>;
}

/// How a handler was left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Left {
    Good,
    Error,
    Panicked,
    Dropped,
}

/// What the handlers of one call did. Several, if a call ran more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handled {
    pub(crate) runs: u32,
    /// When it began, and when it must have ended at the latest by its deadline.
    pub(crate) began: Option<Instant>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) left: Option<(Instant, Left)>,
    pub(crate) produced: u32,
    pub(crate) received: u32,
    pub(crate) upload_ended: bool,
    pub(crate) upload_failed: bool,
    pub(crate) shield_began: bool,
    pub(crate) shield_ended: bool,
}

/// What both sides did, by call.
#[derive(Clone)]
pub(crate) struct Records {
    handled: Arc<Mutex<BTreeMap<u64, Handled>>>,
    called: Arc<Mutex<BTreeMap<u64, Called>>>,
    pub(crate) trace: Trace,
}

/// What the caller of one call did, as far as the handler's side is held against it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Called {
    /// Items that the caller took out of the answer.
    pub(crate) consumed: u32,
    /// Items that the caller's stream gave out.
    pub(crate) uploaded: u32,
    /// The caller's stream was read to its end.
    pub(crate) upload_ended: bool,
    /// How many items a side may be ahead of the other.
    pub(crate) download_bound: u32,
    pub(crate) upload_bound: u32,
}

impl Records {
    pub(crate) fn new(trace: Trace) -> Self {
        Self {
            handled: Arc::default(),
            called: Arc::default(),
            trace,
        }
    }

    pub(crate) fn all_handled(&self) -> MutexGuard<'_, BTreeMap<u64, Handled>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_called(&self) -> MutexGuard<'_, BTreeMap<u64, Called>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handled(&self, call: u64) -> Handled {
        self.all_handled().get(&call).cloned().unwrap_or_default()
    }

    pub(crate) fn called(&self, call: u64) -> Called {
        self.all_called().get(&call).cloned().unwrap_or_default()
    }

    pub(crate) fn change_handled<T>(&self, call: u64, change: impl FnOnce(&mut Handled) -> T) -> T {
        change(self.all_handled().entry(call).or_default())
    }

    pub(crate) fn change_called<T>(&self, call: u64, change: impl FnOnce(&mut Called) -> T) -> T {
        change(self.all_called().entry(call).or_default())
    }

    /// Notes an item of a handler, and that it is not too far ahead of the caller.
    fn produced(&self, call: u64) {
        let produced = self.change_handled(call, |it| {
            it.produced += 1;
            it.produced
        });
        let called = self.called(call);
        if produced > called.consumed + called.download_bound {
            self.trace.violation(format!(
                "call {call}: {produced} items were produced with {} consumed, the bound is {}",
                called.consumed, called.download_bound
            ));
        }
    }

    /// Notes an item of a caller's stream, and that it is not too far ahead of the handler.
    pub(crate) fn uploaded(&self, call: u64) {
        let called = self.change_called(call, |it| {
            it.uploaded += 1;
            it.clone()
        });
        let received = self.handled(call).received;
        if called.uploaded > received + called.upload_bound {
            self.trace.violation(format!(
                "call {call}: {} items were uploaded with {received} received, the bound is {}",
                called.uploaded, called.upload_bound
            ));
        }
    }
}

/// Notes how a handler is left: also when it is dropped.
struct Running {
    records: Records,
    call: u64,
    left: Left,
}

impl Running {
    fn begin(records: &Records, call: u64) -> Self {
        let now = Instant::now();
        let context = Context::current();
        let remaining = context.as_ref().and_then(Context::remaining);
        let runs = records.change_handled(call, |it| {
            it.runs += 1;
            it.began = Some(now);
            it.deadline = remaining.map(|it| now + it);
            it.runs
        });
        records.trace.note(format_args!(
            "handler {call}: begins, run {runs}, {remaining:?} left"
        ));
        Self {
            records: records.clone(),
            call,
            left: Left::Dropped,
        }
    }

    fn end(&mut self, left: Left) {
        self.left = left;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let left = if std::thread::panicking() {
            Left::Panicked
        } else {
            self.left
        };
        let now = Instant::now();
        self.records
            .change_handled(self.call, |it| it.left = Some((now, left)));
        let call = self.call;
        let trace = &self.records.trace;
        trace.note(format_args!("handler {call}: {left:?}"));
    }
}

/// The implementation.
pub(crate) struct Recorder {
    pub(crate) records: Records,
}

impl Recorder {
    fn shield(&self, plan: &Plan) {
        let Some(milliseconds) = plan.shielded else {
            return;
        };
        let (records, call) = (self.records.clone(), plan.id);
        records.change_handled(call, |it| it.shield_began = true);
        drop(shield(async move {
            sleep(Duration::from_millis(milliseconds)).await;
            records.change_handled(call, |it| it.shield_ended = true);
            records
                .trace
                .note(format_args!("handler {call}: shielded work is done"));
        }));
    }

    /// Takes one item of an upload; `None` at its good end.
    fn received(
        &self,
        call: u64,
        item: Option<Result<Item, Status>>,
    ) -> Result<Option<Item>, PlannedError> {
        let records = &self.records;
        match item {
            None => {
                records.change_handled(call, |it| it.upload_ended = true);
                records
                    .trace
                    .note(format_args!("handler {call}: the upload ended"));
                Ok(None)
            }
            Some(Ok(item)) => {
                let index = records.change_handled(call, |it| {
                    it.received += 1;
                    it.received - 1
                });
                let size = u32::try_from(item.bytes.len()).unwrap_or(u32::MAX);
                if item != Item::new(call, index, size) {
                    records.trace.violation(format!(
                        "handler {call}: received item {} of call {} at {index}",
                        item.index, item.call
                    ));
                }
                Ok(Some(item))
            }
            Some(Err(status)) => {
                let code = status.code();
                records.change_handled(call, |it| it.upload_failed = true);
                records
                    .trace
                    .note(format_args!("handler {call}: the upload failed: {code:?}"));
                Err(PlannedError::Upload { call })
            }
        }
    }
}

fn finish(plan: &Plan, running: &mut Running) -> Result<(), PlannedError> {
    match plan.ending {
        Ending::Good => {
            running.end(Left::Good);
            Ok(())
        }
        Ending::Error => {
            running.end(Left::Error);
            Err(PlannedError::Planned { call: plan.id })
        }
        Ending::Panic => std::panic::panic_any(PLANNED_PANIC),
    }
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Simulated for Recorder {
    async fn unary(&self, _ctx: &Context, plan: Plan) -> Result<Item, PlannedError> {
        let mut running = Running::begin(&self.records, plan.id);
        self.shield(&plan);
        pause(plan.pause).await;
        finish(&plan, &mut running)?;
        Ok(Item::new(plan.id, 0, plan.size))
    }

    fn download(&self, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>> {
        async_stream::try_stream! {
            let mut running = Running::begin(&self.records, plan.id);
            self.shield(&plan);
            for index in 0..plan.items {
                pause(plan.pause).await;
                self.records.produced(plan.id);
                yield Item::new(plan.id, index, plan.size);
            }
            finish(&plan, &mut running)?;
        }
    }

    async fn upload(&self, plan: Plan, mut items: Streaming<Item>) -> Result<u32, PlannedError> {
        let mut running = Running::begin(&self.records, plan.id);
        self.shield(&plan);
        let mut count = 0;
        loop {
            match self.received(plan.id, items.next().await) {
                Ok(None) => break,
                Ok(Some(_)) => count += 1,
                Err(error) => {
                    running.end(Left::Error);
                    return Err(error);
                }
            }
            pause(plan.pause).await;
        }
        finish(&plan, &mut running)?;
        Ok(count)
    }

    fn both(
        &self,
        plan: Plan,
        mut items: Streaming<Item>,
    ) -> impl Stream<Item = Result<Item, PlannedError>> {
        async_stream::try_stream! {
            let mut running = Running::begin(&self.records, plan.id);
            self.shield(&plan);
            let mut index = 0;
            loop {
                let received = self.received(plan.id, items.next().await);
                if received.is_err() {
                    running.end(Left::Error);
                }
                if received?.is_none() {
                    break;
                }
                pause(plan.pause).await;
                self.records.produced(plan.id);
                yield Item::new(plan.id, index, plan.size);
                index += 1;
            }
            for more in 0..plan.items {
                self.records.produced(plan.id);
                yield Item::new(plan.id, index + more, plan.size);
            }
            finish(&plan, &mut running)?;
        }
    }
}

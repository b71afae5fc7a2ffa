//! A service whose handlers do what the caller's plan says, and note what they did.

use std::time::Duration;

use futures_util::Stream;
use rpc_runtime::{Context, RpcError, SlowReader, Status, Streaming, rpc_service, shield};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::records::{Left, Records, Run};

/// The payload of panics that are part of the plan.
pub(crate) const PLANNED_PANIC: &str = "this panic is planned";

/// How a handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Good,
    Error,
    Panic,
}

/// What a handler's stream does when its caller is slow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Slow {
    Wait,
    DropOldest(u32),
    KeepLatest,
    Close(u32),
}

impl Slow {
    fn policy(self) -> SlowReader {
        match self {
            Self::Wait => SlowReader::Wait,
            Self::DropOldest(items) => SlowReader::DropOldest(items as usize),
            Self::KeepLatest => SlowReader::KeepLatest,
            Self::Close(items) => SlowReader::Close(items as usize),
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::Wait => 0,
            Self::KeepLatest => 1,
            Self::DropOldest(items) => 2 + 2 * u64::from(items),
            Self::Close(items) => 3 + 2 * u64::from(items),
        }
    }

    /// Whether items may be left out.
    pub(crate) fn drops(self) -> bool {
        matches!(self, Self::DropOldest(_) | Self::KeepLatest)
    }
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
    pub(crate) slow: Slow,
    /// Milliseconds of work that goes on whatever happens to the call.
    pub(crate) shielded: Option<u64>,
    /// Filling, for requests that are large.
    pub(crate) filling: serde_bytes::ByteBuf,
    /// Follows from the rest, so that what a network garbled is not done.
    pub(crate) sum: u64,
}

impl Plan {
    /// Adds the sum.
    pub(crate) fn summed(mut self) -> Self {
        self.sum = self.expected_sum();
        self
    }

    fn expected_sum(&self) -> u64 {
        let numbers = [
            self.id,
            u64::from(self.items),
            u64::from(self.size),
            self.pause,
            self.ending as u64,
            self.slow.number(),
            self.shielded.map_or(0, |it| it + 1),
        ];
        let mix = |sum: u64, it: u64| (sum ^ it).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        numbers.into_iter().fold(7, mix)
    }

    fn check(&self) -> Result<(), PlannedError> {
        if self.sum == self.expected_sum() {
            return Ok(());
        }
        Err(PlannedError::Planned { call: 0 })
    }
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

/// All four patterns, and what may be repeated in each way.
#[rpc_service(name = "simulation.v1.Simulated")]
pub(crate) trait Simulated {
    /// One message each way.
    async fn unary(&self, ctx: &Context, plan: Plan) -> Result<Item, PlannedError>;
    /// The same, for which twice is as good as once.
    #[rpc(idempotent)]
    async fn put(&self, plan: Plan) -> Result<Item, PlannedError>;
    /// The same, which changes nothing.
    #[rpc(read_only)]
    async fn look(&self, plan: Plan) -> Result<Item, PlannedError>;
    /// One message, then a stream back.
    fn download(&self, ctx: &Context, plan: Plan)
    -> impl Stream<Item = Result<Item, PlannedError>>;
    /// The same, for which twice is as good as once.
    #[rpc(idempotent)]
    fn list(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>>;
    /// The same as `download`, with which its caller goes on when its connection is lost.
    #[rpc(resumable)]
    fn feed(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>>;
    /// The same as `list`, with which its caller goes on when its connection is lost.
    #[rpc(resumable, idempotent)]
    fn follow(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>>;
    /// A stream, then one message back: how many items came.
    async fn upload(&self, plan: Plan, items: Streaming<Item>) -> Result<u32, PlannedError>;
    /// A stream each way; each item that comes is answered by one, then the planned ones follow.
    fn both(
        &self,
        plan: Plan,
        items: Streaming<Item>,
    ) -> impl Stream<Item = Result<Item, PlannedError>>;
}

/// Notes how a handler is left: also when it is dropped.
struct Running {
    records: Records,
    call: u64,
    run: usize,
    produced: u32,
    left: Left,
}

impl Running {
    fn begin(recorder: &Recorder, call: u64) -> Self {
        let (records, life) = (&recorder.records, recorder.life);
        let now = Instant::now();
        let context = Context::current();
        let remaining = context.as_ref().and_then(Context::remaining);
        let run = records.change_handled(call, |it| {
            it.runs.push(Run {
                life,
                began: now,
                deadline: remaining.map(|it| now + it),
                left: None,
            });
            it.runs.len() - 1
        });
        records.trace.note(format_args!(
            "handler {call}: begins, run {run} in life {life}, {remaining:?} left"
        ));
        Self {
            records: records.clone(),
            call,
            run,
            produced: 0,
            left: Left::Dropped,
        }
    }

    /// Notes an item, and that it is not too far ahead of the caller.
    fn produced(&mut self) {
        self.produced += 1;
        let called = self.records.called(self.call);
        let (consumed, lost) = (called.consumed, called.lost);
        if self.produced > consumed + lost + called.download_bound {
            let text = format!(
                "{} items were produced with {consumed} consumed and {lost} lost, the bound is {}",
                self.produced, called.download_bound
            );
            self.records.violation(self.call, text);
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
        let (call, run) = (self.call, self.run);
        self.records
            .change_handled(call, |it| it.runs[run].left = Some((now, left)));
        let trace = &self.records.trace;
        trace.note(format_args!("handler {call}: {left:?}"));
    }
}

/// The implementation.
pub(crate) struct Recorder {
    pub(crate) records: Records,
    /// The life of a server that it belongs to.
    pub(crate) life: usize,
    /// Milliseconds that unary handlers take longer.
    pub(crate) slowness: u64,
}

impl Recorder {
    fn shield(&self, plan: &Plan) {
        let Some(milliseconds) = plan.shielded else {
            return;
        };
        let (records, call) = (self.records.clone(), plan.id);
        records.change_handled(call, |it| it.shields_began += 1);
        drop(shield(async move {
            sleep(Duration::from_millis(milliseconds)).await;
            records.change_handled(call, |it| it.shields_ended += 1);
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
                    let text = format!(
                        "received item {} of call {} at {index}",
                        item.index, item.call
                    );
                    records.violation(call, text);
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

impl Recorder {
    async fn answer(&self, plan: Plan) -> Result<Item, PlannedError> {
        plan.check()?;
        let mut running = Running::begin(self, plan.id);
        self.shield(&plan);
        pause(plan.pause + self.slowness).await;
        finish(&plan, &mut running)?;
        Ok(Item::new(plan.id, 0, plan.size))
    }

    fn items(&self, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>> {
        async_stream::try_stream! {
            plan.check()?;
            let mut running = Running::begin(self, plan.id);
            self.shield(&plan);
            for index in 0..plan.items {
                pause(plan.pause).await;
                running.produced();
                yield Item::new(plan.id, index, plan.size);
            }
            finish(&plan, &mut running)?;
        }
    }
}

impl Simulated for Recorder {
    async fn unary(&self, _ctx: &Context, plan: Plan) -> Result<Item, PlannedError> {
        self.answer(plan).await
    }

    async fn put(&self, plan: Plan) -> Result<Item, PlannedError> {
        self.answer(plan).await
    }

    async fn look(&self, plan: Plan) -> Result<Item, PlannedError> {
        self.answer(plan).await
    }

    fn download(
        &self,
        ctx: &Context,
        plan: Plan,
    ) -> impl Stream<Item = Result<Item, PlannedError>> {
        ctx.slow_reader(plan.slow.policy());
        self.items(plan)
    }

    fn list(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>> {
        ctx.slow_reader(plan.slow.policy());
        self.items(plan)
    }

    fn feed(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>> {
        ctx.slow_reader(plan.slow.policy());
        self.items(plan)
    }

    fn follow(&self, ctx: &Context, plan: Plan) -> impl Stream<Item = Result<Item, PlannedError>> {
        ctx.slow_reader(plan.slow.policy());
        self.items(plan)
    }

    async fn upload(&self, plan: Plan, mut items: Streaming<Item>) -> Result<u32, PlannedError> {
        plan.check()?;
        let mut running = Running::begin(self, plan.id);
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
            plan.check()?;
            let mut running = Running::begin(self, plan.id);
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
                running.produced();
                yield Item::new(plan.id, index, plan.size);
                index += 1;
            }
            for more in 0..plan.items {
                running.produced();
                yield Item::new(plan.id, index + more, plan.size);
            }
            finish(&plan, &mut running)?;
        }
    }
}

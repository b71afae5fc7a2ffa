//! The calling side: makes the planned calls and notes how each one ends.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rpc_runtime::{CallError, Code, ResponseStream, Status, Streaming};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::records::Records;
use crate::scenario::{CallPlan, Pattern, Safety};
use crate::service::{Item, Plan, PlannedError, SimulatedClient};

/// How a call ended for its caller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Good,
    Planned,
    /// The handler said that the upload broke off.
    UploadBroken,
    Failed(Code, String),
    /// The caller gave it up.
    Dropped,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// When the simulation began.
    pub(crate) epoch: Instant,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
}

/// The answer of a call that streams.
type Items = ResponseStream<Item, CallError<PlannedError>>;

/// How long after its deadline a call may end.
const LATE: Duration = Duration::from_millis(50);

/// The default timeout of the library.
const DEFAULT: u64 = 30_000;

/// Makes one call.
pub(crate) struct Caller {
    pub(crate) client: SimulatedClient,
    pub(crate) records: Records,
    pub(crate) default_timeout: Option<u64>,
    pub(crate) plan: CallPlan,
}

impl Caller {
    /// Waits for the call's time, makes it, and says how it ended.
    pub(crate) async fn run(self) -> Ended {
        let epoch = Instant::now();
        sleep(Duration::from_millis(self.plan.start)).await;
        let began = Instant::now();
        let (id, pattern) = (self.plan.id, self.plan.pattern);
        let trace = self.records.trace.clone();
        trace.note(format_args!("call {id}: {pattern:?} begins"));
        let call = async {
            match pattern {
                Pattern::Unary => self.unary().await,
                Pattern::Upload => self.upload().await,
                Pattern::Download => self.download().await,
                Pattern::Both => self.both().await,
            }
        };
        let outcome = match self.plan.drop_after {
            None => call.await,
            Some(milliseconds) => {
                let ended = timeout(Duration::from_millis(milliseconds), call).await;
                ended.unwrap_or(Outcome::Dropped)
            }
        };
        trace.note(format_args!("call {id}: {outcome:?}"));
        Ended {
            epoch,
            began,
            ended: Instant::now(),
            outcome,
        }
    }

    fn request(&self) -> Plan {
        let plan = &self.plan;
        Plan {
            id: plan.id,
            items: plan.items,
            size: plan.size,
            pause: plan.pause,
            ending: plan.ending,
            slow: plan.slow,
            shielded: plan.shielded,
            filling: serde_bytes::ByteBuf::from(vec![7; plan.filling]),
            sum: 0,
        }
        .summed()
    }

    fn uploaded(&self) -> Streaming<Item> {
        let (plan, records) = (self.plan.clone(), self.records.clone());
        let stream = async_stream::stream! {
            for index in 0..plan.upload_items {
                if plan.upload_pause > 0 {
                    sleep(Duration::from_millis(plan.upload_pause)).await;
                }
                records.uploaded(plan.id);
                yield Ok(Item::new(plan.id, index, plan.upload_size));
            }
            if plan.upload_fails {
                yield Err(Status::aborted("the upload fails as planned"));
            }
            records.change_called(plan.id, |it| it.upload_ended = true);
        };
        Streaming::try_from_stream(stream)
    }

    /// When a call that is answered by one message must have ended.
    fn whole_deadline(&self, began: Instant) -> Instant {
        let timeout = self.plan.timeout.or(self.default_timeout);
        began + Duration::from_millis(timeout.unwrap_or(DEFAULT))
    }

    fn check_in_time(&self, deadline: Instant, what: &str) {
        let late = Instant::now().saturating_duration_since(deadline);
        if late > LATE {
            let id = self.plan.id;
            let trace = &self.records.trace;
            trace.violation(format!("call {id}: {what} {late:?} after its deadline"));
        }
    }

    async fn unary(&self) -> Outcome {
        let request = self.request();
        let mut call = match self.plan.safety {
            Safety::Once => self.client.unary(request),
            Safety::Idempotent => self.client.put(request),
            Safety::ReadOnly => self.client.look(request),
        };
        if let Some(milliseconds) = self.plan.timeout {
            call = call.timeout(Duration::from_millis(milliseconds));
        }
        let deadline = self.whole_deadline(Instant::now());
        let result = if self.plan.started {
            call.start().await
        } else {
            call.await
        };
        self.check_in_time(deadline, "it ended");
        result.map_or_else(outcome, |item| {
            if item != Item::new(self.plan.id, 0, self.plan.size) {
                self.wrong("another answer");
            }
            Outcome::Good
        })
    }

    async fn upload(&self) -> Outcome {
        let mut call = self.client.upload(self.request(), self.uploaded());
        if let Some(milliseconds) = self.plan.timeout {
            call = call.timeout(Duration::from_millis(milliseconds));
        }
        let deadline = self.whole_deadline(Instant::now());
        let result = if self.plan.started {
            call.start().await
        } else {
            call.await
        };
        self.check_in_time(deadline, "it ended");
        result.map_or_else(outcome, |count| {
            if count != self.plan.upload_items {
                self.wrong(&format!("a good end after {count} uploaded items"));
            }
            Outcome::Good
        })
    }

    fn wrong(&self, what: &str) {
        self.records.violation(self.plan.id, what);
    }

    async fn download(&self) -> Outcome {
        let request = self.request();
        let mut stream = match (self.plan.resumable, self.plan.safety) {
            (false, Safety::Once) => self.client.download(request),
            (false, _) => self.client.list(request),
            (true, Safety::Once) => self.client.feed(request),
            (true, _) => self.client.follow(request),
        };
        if self.plan.accepts_gaps {
            stream = stream.accept_gaps();
        }
        if let Some(milliseconds) = self.plan.timeout {
            stream = stream.timeout(Duration::from_millis(milliseconds));
        }
        if self.plan.started {
            stream = stream.start();
        }
        self.consume(stream, self.plan.items).await
    }

    async fn both(&self) -> Outcome {
        let mut stream = self.client.both(self.request(), self.uploaded());
        if let Some(milliseconds) = self.plan.timeout {
            stream = stream.timeout(Duration::from_millis(milliseconds));
        }
        if self.plan.started {
            stream = stream.start();
        }
        let items = self.plan.items + self.plan.upload_items;
        self.consume(stream, items).await
    }

    /// Reads a stream to its end. Its first item waits for the acceptance, which is bounded.
    async fn consume(&self, mut stream: Items, items: u32) -> Outcome {
        let began = Instant::now();
        let milliseconds = |it| began + Duration::from_millis(it);
        let deadline = self.plan.timeout.map(milliseconds);
        let acceptance = milliseconds(self.default_timeout.unwrap_or(DEFAULT));
        let mut received = 0;
        loop {
            let asked = Instant::now();
            let item = self.next(&mut stream, deadline, acceptance).await;
            if let Some(deadline) = deadline {
                self.check_in_time(deadline.max(asked), "an item came");
            }
            match item {
                Some(Ok(item)) => {
                    self.records
                        .change_called(self.plan.id, |it| it.consumed += 1);
                    let index = received + self.missing(&stream);
                    if item != Item::new(self.plan.id, index, self.plan.size) {
                        self.wrong(&format!("another item {} at {index}", item.index));
                    }
                    received += 1;
                }
                Some(Err(error)) => {
                    if stream.next().await.is_some() {
                        self.wrong("an item behind the failure");
                    }
                    return outcome(error);
                }
                None => {
                    let missing = self.missing(&stream);
                    if received + missing != items {
                        let text = format!("a good end after {received} of {items} items");
                        self.wrong(&format!("{text}, with {missing} left out or lost"));
                    }
                    return Outcome::Good;
                }
            }
            if self.plan.consume_pause > 0 {
                sleep(Duration::from_millis(self.plan.consume_pause)).await;
            }
        }
    }

    /// Returns how many items were left out or lost so far, which only some streams may do.
    fn missing(&self, stream: &Items) -> u32 {
        let number = |it: u64| u32::try_from(it).unwrap_or(u32::MAX / 4);
        let (skipped, lost) = (number(stream.skipped()), number(stream.lost()));
        if skipped > 0 && !self.plan.slow.drops() {
            self.wrong(&format!("{skipped} items were left out"));
        }
        if lost > 0 && !(self.plan.resumable && self.plan.accepts_gaps) {
            self.wrong(&format!("{lost} items were lost"));
        }
        self.records
            .change_called(self.plan.id, |it| it.lost = lost);
        skipped + lost
    }

    /// Waits for an item. If none has come by the bound on the acceptance, a handler must have
    /// begun: that it has accepted the stream is not seen from here otherwise.
    async fn next<S>(
        &self,
        stream: &mut S,
        deadline: Option<Instant>,
        acceptance: Instant,
    ) -> Option<S::Item>
    where
        S: Stream + Unpin,
    {
        let bound = deadline.map_or(acceptance, |it| it.min(acceptance)) + LATE;
        let mut late = std::pin::pin!(sleep_until(bound));
        tokio::select! {
            biased;
            item = stream.next() => return item,
            () = &mut late => {}
        }
        if self.records.handled(self.plan.id).runs.is_empty() {
            self.wrong("a stream was neither accepted nor failed in time");
        }
        stream.next().await
    }
}

fn outcome(error: CallError<PlannedError>) -> Outcome {
    match error {
        CallError::App(PlannedError::Planned { .. }) => Outcome::Planned,
        CallError::App(PlannedError::Upload { .. }) => Outcome::UploadBroken,
        CallError::Status(status) => Outcome::Failed(status.code(), status.message().to_owned()),
    }
}

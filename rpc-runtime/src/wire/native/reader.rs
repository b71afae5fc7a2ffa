//! The reader's side of an inbox.

use std::collections::VecDeque;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;

use super::frame::Run;
use super::inbox::{Inbox, Received, cost};
use crate::call::Metadata;
use crate::status::Status;
use crate::wire::budget::Budget;

/// How much that was handed out a reader releases at a time.
const SETTLE: usize = 16 << 10;

/// What a reader takes out.
pub(super) enum Taken {
    /// A message, and the credit that is to be given back now.
    Message(Bytes, Option<u64>),
    /// The end, good or bad.
    End(Result<Metadata, Status>),
}

/// The reader's side of an inbox. It takes all that is there under one lock, and hands it out
/// without any. What it has not handed out stays charged.
#[derive(Default)]
pub(super) struct Reader {
    messages: VecDeque<Received>,
    /// What is left of a run, and what all of it holds of the budget.
    run: Option<(Run, usize)>,
    /// What the budget held for messages that were handed out.
    spent: usize,
    /// What was handed out and not yet given back to the sender.
    consumed: u64,
    /// How many were left out before the next message.
    skipped: u32,
}

impl Reader {
    /// Polls for the next message or the end.
    pub(super) fn poll_take(
        &mut self,
        cx: &mut TaskContext<'_>,
        inbox: &Inbox,
        window: u32,
        budget: &Budget,
    ) -> Poll<Taken> {
        let mut next = self.next();
        // More than once only if all that came is the word that something was left out.
        while next.is_none() {
            let spent = std::mem::take(&mut self.spent);
            let refilled = inbox.poll_refill(cx, &mut self.messages, spent, budget);
            if let Some(end) = ready!(refilled) {
                return Poll::Ready(Taken::End(end));
            }
            next = self.next();
        }
        let Some((bytes, counted)) = next else {
            return Poll::Pending;
        };
        if counted {
            self.consumed += cost(bytes.len()).unsigned_abs();
        }
        // Half a window at a time: the sender never starves, and one frame serves many messages.
        let due = self.consumed >= u64::from(window / 2);
        let settle = self.spent > 0 && (self.is_empty() || self.spent >= SETTLE);
        if !due && !settle {
            return Poll::Ready(Taken::Message(bytes, None));
        }
        let spent = std::mem::take(&mut self.spent);
        let credit = due.then(|| std::mem::take(&mut self.consumed));
        let gives = inbox.settle(spent, credit, budget);
        Poll::Ready(Taken::Message(bytes, credit.filter(|_| gives)))
    }

    /// Takes how many messages were left out before the one that was taken last.
    pub(super) fn take_skipped(&mut self) -> u32 {
        std::mem::take(&mut self.skipped)
    }

    fn is_empty(&self) -> bool {
        self.run.is_none() && self.messages.is_empty()
    }

    /// Returns the next message, and whether it costs credit.
    fn next(&mut self) -> Option<(Bytes, bool)> {
        while self.run.is_none() {
            let received = self.messages.pop_front()?;
            let charge = received.charge();
            match received {
                Received::Message { bytes, counted } => {
                    self.spent += charge;
                    return Some((bytes, counted));
                }
                Received::Run(run) => self.run = Some((run, charge)),
                Received::Skipped(skipped) => {
                    self.skipped = self.skipped.saturating_add(skipped);
                }
            }
        }
        let (run, charge) = self.run.as_mut()?;
        let message = run.next()?;
        if run.len() == 0 {
            self.spent += *charge;
            self.run = None;
        }
        Some((message, true))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use bytes::BytesMut;

    use super::super::assembly::Payload;
    use super::super::connection::Role;
    use super::super::frame::{Flags, FrameHeader, FrameReader, FrameType};
    use super::super::inbox::{Bounds, Fragment};
    use super::*;

    const WINDOW: u32 = 4_000;

    struct Side {
        inbox: Inbox,
        reader: Reader,
        budget: Budget,
    }

    impl Side {
        fn new() -> Self {
            Self {
                inbox: Inbox::new(WINDOW),
                reader: Reader::default(),
                budget: Budget::new(1 << 20, None),
            }
        }

        fn bounds(&self) -> Bounds<'_> {
            Bounds {
                role: Role::Accepted,
                max_message: 1 << 20,
                message_timeout: Duration::from_secs(1),
                budget: &self.budget,
            }
        }

        fn push(&self, run: Run) -> Result<(), Status> {
            self.inbox.push_run(run, &self.bounds()).map(drop)
        }

        fn take(&mut self) -> Poll<Taken> {
            let mut cx = TaskContext::from_waker(Waker::noop());
            let Self {
                inbox,
                reader,
                budget,
                ..
            } = self;
            reader.poll_take(&mut cx, inbox, WINDOW, budget)
        }

        fn take_all(&mut self) -> Vec<Bytes> {
            std::iter::from_fn(|| match self.take() {
                Poll::Ready(Taken::Message(bytes, _)) => Some(bytes),
                _ => None,
            })
            .collect()
        }
    }

    fn run(messages: impl IntoIterator<Item = usize>) -> Run {
        let mut bytes = BytesMut::new();
        for number in messages {
            let payload = vec![u8::try_from(number % 256).unwrap(); number % 50];
            FrameHeader {
                length: u32::try_from(payload.len()).unwrap(),
                ..FrameHeader::new(FrameType::MESSAGE, Flags::NONE, 1)
            }
            .write(&mut bytes);
            bytes.extend_from_slice(&payload);
        }
        FrameReader::with_bytes(1 << 20, bytes).next_run().unwrap()
    }

    #[test]
    fn a_run_comes_out_in_order_and_frees_its_bytes() {
        let mut side = Side::new();
        side.push(run(0..30)).unwrap();
        side.push(run(30..50)).unwrap();
        assert!(side.budget.used() > 0);
        let lengths: Vec<_> = side.take_all().iter().map(Bytes::len).collect();
        assert_eq!(lengths, (0..50).collect::<Vec<_>>());
        assert_eq!(side.budget.used(), 0);
    }

    #[test]
    fn what_was_taken_and_not_read_stays_charged_until_the_reader_goes() {
        let mut side = Side::new();
        side.push(run(0..30)).unwrap();
        assert!(side.take().is_ready());
        let used = side.budget.used();
        assert!(used >= 16 * 30, "the reader still holds {used}");
        side.inbox.abandon(&side.budget);
        assert_eq!(side.budget.used(), 0);
        // A reader that goes on does not release a second time.
        side.budget.try_charge(10_000).unwrap();
        assert_eq!(side.take_all().len(), 29);
        assert_eq!(side.budget.used(), 10_000);
    }

    #[test]
    fn credit_ends_inside_a_run() {
        let mut side = Side::new();
        // Each costs 16 and its length; the last one that may begin goes past the window.
        let error = side.push(run(vec![49; 100])).unwrap_err();
        assert!(error.message().contains("stream_window"), "{error}");
        assert_eq!(side.take_all().len(), 4_000 / 65 + 1);
        assert_eq!(side.budget.used(), 0);
    }

    #[test]
    fn credit_is_given_back_by_half_windows() {
        let mut side = Side::new();
        let mut given = 0;
        for _ in 0..20 {
            side.push(run(vec![49; 20])).unwrap();
            while let Poll::Ready(Taken::Message(_, credit)) = side.take() {
                given += credit.unwrap_or(0);
            }
        }
        let sent = 20 * 20 * 65;
        assert!(given <= sent && sent - given < u64::from(WINDOW / 2));
    }

    #[test]
    fn a_run_ends_a_message_that_came_in_part() {
        let mut side = Side::new();
        let fragment = Fragment {
            payload: Payload::Shared(Bytes::from_static(b"begun, ")),
            more: true,
            counted: true,
        };
        assert!(side.inbox.push(fragment, &side.bounds()).is_ok());
        side.push(run([2, 3])).unwrap();
        assert_eq!(side.take_all(), [&b"begun, \x02\x02"[..], &[3; 3]]);
        assert_eq!(side.budget.used(), 0);
    }
}

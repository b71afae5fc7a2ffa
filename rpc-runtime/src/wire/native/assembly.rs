//! A message that comes in fragments, which are read where the message is put together.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::frame::HEADER_LENGTH;
use super::inbox::Bounds;

/// Fragments up to this length are trusted to come whole; longer ones if as much has come already.
const TRUSTED: usize = 64 << 10;

/// How fast a message must come on in the long run, in bytes a second.
const SLOWEST: u64 = 16 << 10;

/// The bytes of a fragment.
pub(super) enum Payload {
    /// A slice of what was read.
    Shared(Bytes),
    /// They stand in memory that was lent.
    InPlace(BytesMut),
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shared(bytes) => bytes.len(),
            Self::InPlace(bytes) => bytes.len(),
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(bytes) => bytes,
            Self::InPlace(bytes) => bytes.freeze(),
        }
    }
}

/// A message of which fragments have come.
pub(super) struct Assembly {
    bytes: BytesMut,
    pub(super) counted: bool,
    /// When the call fails if nothing more comes.
    pub(super) expires: Instant,
    /// How much memory it began with that had been charged before.
    reused: usize,
}

impl Assembly {
    /// Begins with the first fragment; says how much is charged besides that: memory that is used
    /// again is charged as a whole.
    pub(super) fn begin(first: Payload, counted: bool, bounds: &Bounds<'_>) -> (Self, usize) {
        let (bytes, reused) = bounds.budget.spares().take().unwrap_or_default();
        let mut assembly = Self {
            bytes,
            counted,
            expires: Instant::now() + bounds.message_timeout,
            reused,
        };
        if reused == 0 {
            assembly.add(first);
        } else {
            assembly.bytes.extend_from_slice(&first.into_bytes());
        }
        (assembly, reused)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the message more time, now that so many bytes of it have come.
    pub(super) fn postpone(&mut self, bytes: usize, bounds: &Bounds<'_>) {
        let latest = Instant::now() + bounds.message_timeout;
        self.expires = latest.min(self.expires + earned(bytes));
    }

    /// Returns how much of what is still to come is charged already.
    pub(super) fn paid(&self) -> usize {
        self.reused.saturating_sub(self.bytes.len())
    }

    /// Splits off the memory behind what has come, for a fragment and the header behind it.
    pub(super) fn lend(&mut self, length: usize) -> Option<BytesMut> {
        if length > TRUSTED.max(self.bytes.len()) {
            return None;
        }
        // Doubles at least, so that what is moved stays in proportion to what came.
        self.bytes.reserve(length.saturating_add(HEADER_LENGTH));
        Some(self.bytes.split_off(self.bytes.len()))
    }

    pub(super) fn add(&mut self, payload: Payload) {
        match payload {
            Payload::Shared(bytes) => self.bytes.extend_from_slice(&bytes),
            // Memory that was lent is one piece with the rest again; other memory is copied.
            Payload::InPlace(bytes) => self.bytes.unsplit(bytes),
        }
    }

    /// Makes a message of what was put together, and keeps its memory for the next one.
    pub(super) fn finish(self, bounds: &Bounds<'_>) -> Bytes {
        // The connection looks at the time by itself.
        let (message, _) = bounds.budget.spares().finish(self.bytes, bounds.budget);
        message
    }
}

/// How much more time so many bytes of a message give it.
fn earned(bytes: usize) -> Duration {
    Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / SLOWEST)
}

/// Returns memory for the first fragment of a message.
pub(super) fn lend_first(length: usize) -> Option<BytesMut> {
    (length <= TRUSTED).then(|| BytesMut::with_capacity(length + HEADER_LENGTH))
}

#[cfg(test)]
mod tests {
    use std::task::{Context as TaskContext, Poll, Waker};

    use super::super::connection::Role;
    use super::super::inbox::{Fragment, Inbox};
    use super::super::reader::{Reader, Taken};
    use super::*;
    use crate::wire::budget::Budget;

    const FRAGMENT: usize = 64 << 10;

    struct Receiver {
        inbox: Inbox,
        budget: Budget,
    }

    impl Receiver {
        fn new(max_buffered: usize) -> Self {
            Self {
                inbox: Inbox::new(16 << 20),
                budget: Budget::new(max_buffered, None),
            }
        }

        fn bounds(&self) -> Bounds<'_> {
            Bounds {
                role: Role::Accepted,
                max_message: 16 << 20,
                message_timeout: Duration::from_secs(1),
                budget: &self.budget,
            }
        }

        fn push(&self, payload: Payload, more: bool) {
            let fragment = Fragment {
                payload,
                more,
                counted: true,
            };
            let pushed = self.inbox.push(fragment, &self.bounds());
            assert!(pushed.is_ok());
        }

        /// Receives a message as a driver does: its first bytes, then fragments in place.
        fn receive(&self, message: &[u8]) -> Bytes {
            let (first, rest) = message.split_at(12);
            self.push(Payload::Shared(Bytes::copy_from_slice(first)), true);
            let last = rest.len().div_ceil(FRAGMENT) - 1;
            for (index, part) in rest.chunks(FRAGMENT).enumerate() {
                let more = index < last;
                let lent = self.inbox.lend(part.len(), more, &self.bounds());
                let mut lent = lent.expect("a fragment of the usual size");
                assert!(lent.is_empty() && lent.capacity() >= part.len() + HEADER_LENGTH);
                lent.extend_from_slice(part);
                self.push(Payload::InPlace(lent), more);
            }
            self.take()
        }

        fn take(&self) -> Bytes {
            let mut cx = TaskContext::from_waker(Waker::noop());
            let mut reader = Reader::default();
            match reader.poll_take(&mut cx, &self.inbox, u32::MAX, &self.budget) {
                Poll::Ready(Taken::Message(bytes, _)) => bytes,
                _ => panic!("no message"),
            }
        }

        /// What is charged besides the memory that is kept.
        fn held(&self) -> usize {
            self.budget.spares().clear(&self.budget);
            self.budget.used()
        }
    }

    fn message(length: usize) -> Vec<u8> {
        (0..length).map(|it| it as u8).collect()
    }

    #[test]
    fn fragments_are_put_together_and_paid_for() {
        for length in [
            13,
            FRAGMENT,
            FRAGMENT + 12,
            1 << 20,
            (1 << 20) + 12,
            3_000_001,
        ] {
            let receiver = Receiver::new(64 << 20);
            // The second message stands in the memory of the first.
            for _ in 0..3 {
                let expected = message(length);
                assert!(receiver.receive(&expected) == expected, "{length}");
            }
            assert_eq!(receiver.held(), 0, "{length}");
        }
    }

    #[test]
    fn memory_is_used_again_when_the_message_is_gone() {
        let receiver = Receiver::new(64 << 20);
        let first = receiver.receive(&message(1 << 20));
        let address = first.as_ptr();
        let second = receiver.receive(&message(1 << 20));
        assert_ne!(second.as_ptr(), address, "the first is still there");
        assert!(first == message(1 << 20));
        drop(first);
        assert_eq!(receiver.receive(&message(1 << 20)).as_ptr(), address);
    }

    #[test]
    fn a_short_message_does_not_keep_the_memory_of_a_long_one() {
        let receiver = Receiver::new(64 << 20);
        let address = receiver.receive(&message(2 << 20)).as_ptr();
        let short = receiver.receive(&message(FRAGMENT));
        assert_ne!(short.as_ptr(), address);
        assert!(short == message(FRAGMENT));
        assert_eq!(receiver.receive(&message(2 << 20)).as_ptr(), address);
        assert_eq!(receiver.held(), 0);
    }

    #[test]
    fn memory_that_is_used_again_stays_charged_as_a_whole() {
        let receiver = Receiver::new(64 << 20);
        receiver.receive(&message(2 << 20));
        let kept = receiver.budget.used();
        assert!(kept >= 2 << 20);
        receiver.push(Payload::Shared(Bytes::from_static(&[1; 12])), true);
        assert_eq!(receiver.held(), kept, "though only a few bytes came");
        receiver.inbox.abandon(&receiver.budget);
        assert_eq!(receiver.held(), 0);
    }

    #[test]
    fn kept_memory_gives_way() {
        let limit = 6 << 20;
        let receiver = Receiver::new(limit);
        receiver.receive(&message(1 << 20));
        assert!(receiver.budget.used() >= 1 << 20, "the memory is kept");
        let whole = Bytes::from(message(limit - (1 << 10)));
        receiver.push(Payload::Shared(whole), false);
        receiver.take();
        assert_eq!(receiver.held(), 0);
    }

    #[test]
    fn little_is_kept_when_there_is_little() {
        let receiver = Receiver::new(3 << 20);
        receiver.receive(&message((1 << 20) + FRAGMENT));
        assert_eq!(receiver.budget.used(), 0);
    }

    #[test]
    fn memory_follows_what_came_and_not_what_is_promised() {
        let receiver = Receiver::new(64 << 20);
        let lend = |length, more| receiver.inbox.lend(length, more, &receiver.bounds());
        assert!(lend(FRAGMENT + 1, true).is_none(), "nothing came");
        assert!(lend(FRAGMENT, false).is_none(), "a whole message");
        receiver.push(Payload::Shared(Bytes::from_static(b"begun")), true);
        assert!(lend(FRAGMENT + 1, true).is_none(), "a few bytes came");
        receiver.push(Payload::Shared(Bytes::from(message(1 << 20))), true);
        assert!(lend(1 << 20, true).is_some_and(|it| it.capacity() <= 3 << 20));
        assert!(lend(16 << 20, true).is_none());
        receiver.inbox.abandon(&receiver.budget);
        assert!(lend(FRAGMENT, true).is_none(), "nobody reads it");
        assert_eq!(receiver.held(), 0);
    }
}

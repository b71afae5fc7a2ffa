//! Who may queue more to be written, and who waits until there is room.
//!
//! A large message is in memory already when it is queued by reference, and small frames pass it on
//! its way. So it must not take the room of small ones: they only wait for one another, and for
//! large messages only when those would pile up.

use std::task::Waker;

use super::outgoing::Outgoing;
use crate::call::Limits;

/// What is about to be queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// Something small, or of a length that is not known yet.
    Any,
    /// A message that leaves in fragments.
    Large,
}

impl Wanted {
    /// Says whether there is room for it.
    pub(super) fn fits(self, outgoing: &Outgoing, limits: &Limits) -> bool {
        let max_outgoing = limits.max_outgoing;
        match self {
            Self::Any => {
                let most = max_outgoing.saturating_add(limits.max_message);
                outgoing.small_len() <= max_outgoing && outgoing.large_len() <= most
            }
            Self::Large => outgoing.len() <= max_outgoing,
        }
    }
}

/// Who waits for room. Everyone looks again when woken.
#[derive(Default)]
pub(super) struct Waiting {
    any: Vec<Waker>,
    large: Vec<Waker>,
}

impl Waiting {
    pub(super) fn push(&mut self, wanted: Wanted, waker: Waker) {
        let waiting = match wanted {
            Wanted::Any => &mut self.any,
            Wanted::Large => &mut self.large,
        };
        // A task that is woken by something else looks in vain, and with each of its calls.
        if waiting.last().is_none_or(|it| !it.will_wake(&waker)) {
            waiting.push(waker);
        }
    }

    /// Takes those for whom there is plenty: half of what they wait for is free.
    pub(super) fn take_ready(&mut self, outgoing: &Outgoing, limits: &Limits) -> Vec<Waker> {
        let half = limits.max_outgoing / 2;
        let mut ready = Vec::new();
        let large = outgoing.large_len() <= half.saturating_add(limits.max_message);
        if large && outgoing.small_len() <= half {
            ready.append(&mut self.any);
        }
        if outgoing.len() <= half {
            ready.append(&mut self.large);
        }
        ready
    }

    pub(super) fn take_all(&mut self) -> Vec<Waker> {
        let mut all = std::mem::take(&mut self.any);
        all.append(&mut self.large);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use bytes::Bytes;

    use super::super::chunks::Chunks;
    use super::super::frame::{Flags, FrameType};
    use super::super::outgoing::{Body, FRAGMENT, Parts};
    use super::*;

    const MAX_OUTGOING: usize = 1 << 20;
    const MAX_MESSAGE: usize = 2 << 20;

    fn limits() -> Limits {
        Limits::new()
            .max_outgoing(MAX_OUTGOING)
            .max_message(MAX_MESSAGE)
    }

    fn push(outgoing: &mut Outgoing, call: u64, length: usize) {
        outgoing.push(Parts {
            frame_type: FrameType::MESSAGE,
            flags: Flags::NONE,
            call,
            head: &[],
            body: Body::Shared(Bytes::from(vec![0; length]).into()),
        });
    }

    fn fits(outgoing: &Outgoing) -> [bool; 2] {
        [Wanted::Any, Wanted::Large].map(|it| it.fits(outgoing, &limits()))
    }

    #[test]
    fn a_large_message_leaves_room_for_small_ones_and_none_for_large_ones() {
        let mut outgoing = Outgoing::default();
        assert_eq!(fits(&outgoing), [true, true]);
        push(&mut outgoing, 1, MAX_MESSAGE);
        assert_eq!(fits(&outgoing), [true, false]);
        push(&mut outgoing, 3, MAX_MESSAGE);
        assert_eq!(fits(&outgoing), [false, false], "large ones pile up");
    }

    #[test]
    fn small_messages_wait_for_one_another() {
        let mut outgoing = Outgoing::default();
        while outgoing.len() <= MAX_OUTGOING {
            assert_eq!(fits(&outgoing), [true, true]);
            push(&mut outgoing, 1, FRAGMENT);
        }
        assert_eq!(fits(&outgoing), [false, false]);
    }

    #[test]
    fn a_task_waits_once_however_often_it_looks() {
        let mut waiting = Waiting::default();
        let other = Waker::from(Arc::new(Other));
        for waker in [Waker::noop(), Waker::noop(), &other, &other, Waker::noop()] {
            waiting.push(Wanted::Any, waker.clone());
        }
        assert_eq!(waiting.take_all().len(), 3);
    }

    struct Other;

    impl Wake for Other {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn who_waits_is_woken_when_half_is_free() {
        let mut outgoing = Outgoing::default();
        push(&mut outgoing, 1, MAX_MESSAGE);
        push(&mut outgoing, 3, MAX_MESSAGE);
        let mut waiting = Waiting::default();
        waiting.push(Wanted::Any, Waker::noop().clone());
        waiting.push(Wanted::Large, Waker::noop().clone());
        let mut woken_at = Vec::new();
        while !outgoing.is_empty() {
            outgoing.take(&mut Chunks::default());
            let ready = waiting.take_ready(&outgoing, &limits());
            woken_at.extend(ready.iter().map(|_| outgoing.len()));
        }
        let [any, large] = woken_at[..] else {
            panic!("{woken_at:?}");
        };
        assert!((MAX_MESSAGE..=MAX_MESSAGE + MAX_OUTGOING / 2).contains(&any));
        assert!(large > 0 && large <= MAX_OUTGOING / 2);
    }
}

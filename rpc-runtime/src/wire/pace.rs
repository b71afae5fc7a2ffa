//! Which handlers run in the task that reads the connection, and for how long.
//!
//! A handler that is ready at once is polled in place: that costs no task, and its answer leaves
//! with the others of the same read. One that computes for long would keep the connection, and all
//! its other calls, from being served, so methods that were found slow get a task from the start.

use std::time::Duration;

use tokio::time::Instant;

/// A handler that takes longer in place makes its method slow.
const QUICK: Duration = Duration::from_micros(25);

/// How many handlers one read polls in place, and for how long, before the rest get tasks.
const MOST_TURNS: u32 = 256;
const LONGEST: Duration = Duration::from_micros(500);

/// How many calls of a slow method get tasks before one is tried in place again: at first, and
/// after many tries that were slow again.
const FIRST_PENALTY: u32 = 16;
const LONGEST_PENALTY: u32 = 4096;

/// How quick the handlers of a method are.
#[derive(Default, Debug)]
pub(crate) struct Pace {
    /// The last call took long, which may have been the machine's doing: a core is taken away at
    /// times. Two in a row are the method's.
    doubtful: bool,
    /// The calls that get tasks, before one is tried in place.
    penalty: u32,
    left: u32,
}

impl Pace {
    /// Says whether the next call may be tried in place.
    pub(crate) fn is_quick(&mut self) -> bool {
        match self.left.checked_sub(1) {
            None => true,
            Some(left) => {
                self.left = left;
                false
            }
        }
    }

    /// Notes how long a call took in place.
    pub(crate) fn took(&mut self, time: Duration) {
        if time <= QUICK {
            self.penalty = 0;
            self.doubtful = false;
            return;
        }
        if self.penalty == 0 && !std::mem::replace(&mut self.doubtful, true) {
            return;
        }
        self.penalty = (self.penalty * 4).clamp(FIRST_PENALTY, LONGEST_PENALTY);
        self.left = self.penalty;
    }
}

/// The handlers that were polled in place since the last read began to be handed out.
#[derive(Default, Debug)]
pub(crate) struct InPlace {
    turns: u32,
    /// When the first began.
    began: Option<Instant>,
    /// When the last ended, if what was done since then is little.
    ended: Option<Instant>,
}

impl InPlace {
    /// The time, as of the last handler's end.
    pub(crate) fn now(&mut self) -> Instant {
        *self.ended.get_or_insert_with(Instant::now)
    }

    /// Notes that something else took its time, which the next handler must not be blamed for: a
    /// quick method would be taken for a slow one, and stay so.
    pub(crate) fn interrupted(&mut self) {
        self.ended = None;
    }

    /// Takes a turn, if there is one left in this read.
    pub(crate) fn begin(&mut self) -> bool {
        self.turns += 1;
        let now = self.now();
        let began = *self.began.get_or_insert(now);
        self.turns <= MOST_TURNS && now - began < LONGEST
    }

    /// Ends the turn, and says how long it took.
    pub(crate) fn end(&mut self) -> Duration {
        let now = Instant::now();
        now - self.ended.replace(now).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_method_is_tried_ever_more_rarely_and_a_quick_one_always() {
        let mut pace = Pace::default();
        assert!(pace.is_quick());
        pace.took(QUICK * 2);
        assert!(pace.is_quick(), "it may have been the machine");
        for penalty in [16, 64, 256, 1024, 4096, 4096] {
            pace.took(QUICK * 2);
            let tasks = (0..10_000).take_while(|_| !pace.is_quick()).count();
            assert_eq!(tasks, penalty);
        }
        pace.took(QUICK);
        assert!(pace.is_quick() && pace.is_quick());
    }

    #[tokio::test(start_paused = true)]
    async fn one_read_runs_only_so_many_and_so_long() {
        let mut turns = InPlace::default();
        for _ in 0..MOST_TURNS {
            assert!(turns.begin());
            assert_eq!(turns.end(), Duration::ZERO);
        }
        assert!(!turns.begin());
        let mut turns = InPlace::default();
        assert!(turns.begin());
        tokio::time::advance(LONGEST).await;
        assert_eq!(turns.end(), LONGEST);
        assert!(!turns.begin());
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_not_blamed_for_what_was_done_before_it() {
        let mut turns = InPlace::default();
        assert!(turns.begin());
        assert_eq!(turns.end(), Duration::ZERO);
        turns.interrupted();
        tokio::time::advance(QUICK * 2).await;
        assert!(turns.begin());
        tokio::time::advance(QUICK).await;
        assert_eq!(turns.end(), QUICK);
    }
}

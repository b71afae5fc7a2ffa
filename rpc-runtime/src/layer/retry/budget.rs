//! How much load attempts may add to that of the calls themselves.

use std::fmt;

use crate::sync::{Arc, AtomicU32, Ordering};

/// How many attempts are there before any call has earned one.
const FIRST: u32 = 10;

/// What one attempt costs; a call earns the share of it that the budget was made with.
const ATTEMPT: u32 = 1_000;

/// Bounds how many calls are made again: a share of all calls, which can be saved up.
///
/// When every call fails, attempts add that share to the load and no more, however long it lasts;
/// without a bound they would multiply it when a server can bear it least. Each call earns its
/// share, and each further attempt costs one. What is not needed is saved up to a bound, so that
/// there is enough when a server dies with many calls on their way. Ten are there from the
/// beginning, or as many as can be saved if that is less.
///
/// Clones share one budget: give the same to all layers of a channel.
#[derive(Clone)]
pub struct RetryBudget(Arc<Inner>);

struct Inner {
    earned_by_call: u32,
    most: u32,
    saved: AtomicU32,
}

impl RetryBudget {
    /// Makes a budget of so many attempts for 100 calls, of which so many can be saved up.
    ///
    /// More than 10,000 for 100 calls, or 1,000,000 saved, count as that.
    pub fn new(percent: u32, savings: u32) -> Self {
        let most = savings.min(1_000_000) * ATTEMPT;
        let earned_by_call = percent.min(10_000) * (ATTEMPT / 100);
        Self(Arc::new(Inner {
            earned_by_call,
            // What less than one attempt is worth must not be lost.
            most: most.max(ATTEMPT + earned_by_call),
            saved: AtomicU32::new(most.min(FIRST * ATTEMPT)),
        }))
    }

    /// Counts a call.
    pub(in crate::layer) fn earn(&self) {
        let Inner {
            earned_by_call,
            most,
            saved,
        } = &*self.0;
        let add = |now: u32| Some(now.saturating_add(*earned_by_call).min(*most));
        let _ = saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Says whether the other is a clone of this one.
    pub(in crate::layer) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes what an attempt costs, if there is enough.
    pub(in crate::layer) fn spend(&self) -> bool {
        let take = |now: u32| now.checked_sub(ATTEMPT);
        let saved = &self.0.saved;
        saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

impl Default for RetryBudget {
    /// Makes a budget of 20 attempts for 100 calls, of which 100 can be saved up.
    fn default() -> Self {
        Self::new(20, 100)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let saved = self.0.saved.load(Ordering::Relaxed);
        f.debug_struct("RetryBudget")
            .field("percent", &(self.0.earned_by_call / (ATTEMPT / 100)))
            .field("attempts_left", &(saved / ATTEMPT))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many attempts `calls` calls get, if each asks for as many as there are.
    fn attempts(budget: &RetryBudget, calls: u32) -> u32 {
        (0..calls).fold(0, |sum, _| {
            budget.earn();
            sum + (0..).take_while(|_| budget.spend()).count() as u32
        })
    }

    #[test]
    fn attempts_are_the_share_of_the_calls_and_the_first_few() {
        for (percent, savings) in [(20, 100), (20, 3), (20, 0), (0, 3), (5, 1), (150, 0)] {
            let budget = RetryBudget::new(percent, savings);
            let expected = 1_000 * percent / 100 + savings.min(FIRST);
            let made = attempts(&budget, 1_000);
            // What a call earns while no more can be saved is lost.
            assert!(
                made <= expected && expected <= made + 1,
                "{percent} % and {savings}: {made}, not {expected}"
            );
        }
    }

    #[test]
    fn quiet_times_save_up_to_the_bound() {
        let budget = RetryBudget::default();
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..).take_while(|_| budget.clone().spend()).count(), 100);
    }

    #[test]
    fn no_share_and_no_savings_is_no_attempt_and_sizes_without_sense_do_not_overflow() {
        assert_eq!(attempts(&RetryBudget::new(0, 0), 100), 0);
        assert!(attempts(&RetryBudget::new(u32::MAX, u32::MAX), 10_000) >= 1_000_000);
    }
}

//! Tries the budgets of bytes: of a connection, and of all of them.

use loom::sync::Arc;
use loom::thread;

use crate::budget::{Budget, SharedBudget};

/// What a connection takes of the common budget at a time.
const STEP: usize = 256 << 10;

/// What a connection holds is counted for all of them, also what it takes while it gives some back.
pub fn what_is_held_is_counted_for_all() {
    loom::model(|| {
        let shared = SharedBudget::new(100 * STEP);
        let budget = Arc::new(Budget::new(usize::MAX, Some(Arc::clone(&shared))));
        assert!(budget.try_charge(5 * STEP).is_ok());
        let other = Arc::clone(&budget);
        let gives = thread::spawn(move || other.release(5 * STEP));
        assert!(budget.try_charge(3 * STEP).is_ok());
        gives.join().unwrap();
        assert!(shared.used() >= 3 * STEP, "{} are counted", shared.used());
        drop(budget);
        assert_eq!(shared.used(), 0);
    });
}

/// Two connections never hold more than there is, and give all of it back.
pub fn all_together_stay_within_their_limit() {
    loom::model(|| {
        let shared = SharedBudget::new(STEP);
        let [first, second] = [(); 2].map(|()| Budget::new(usize::MAX, Some(Arc::clone(&shared))));
        let takes = thread::spawn(move || (second.try_charge(1).is_ok(), second));
        let here = first.try_charge(1).is_ok();
        let (there, second) = takes.join().unwrap();
        assert!(!(here && there));
        drop((first, second));
        assert_eq!(shared.used(), 0);
    });
}

/// Two who charge one connection's budget at once stay within its limit.
pub fn one_connection_stays_within_its_limit() {
    loom::model(|| {
        let shared = SharedBudget::new(100 * STEP);
        let budget = Arc::new(Budget::new(STEP, Some(Arc::clone(&shared))));
        let other = Arc::clone(&budget);
        let takes = thread::spawn(move || other.try_charge(STEP).is_ok());
        let here = budget.try_charge(STEP).is_ok();
        let there = takes.join().unwrap();
        assert!(!(here && there));
        for _ in 0..usize::from(here) + usize::from(there) {
            budget.release(STEP);
        }
        assert!(budget.try_charge(STEP).is_ok());
    });
}

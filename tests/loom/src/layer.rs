//! The budget of attempts, below a module of the name that it knows.

#[allow(dead_code, unreachable_pub, reason = "the file has more than is tried")]
#[path = "../../../rpc-runtime/src/layer/retry/budget.rs"]
mod budget;

/// Tries the budget of attempts.
pub mod savings {
    use loom::thread;

    use super::budget::RetryBudget;

    /// Two callers who ask for the last attempt: one gets it.
    pub fn an_attempt_is_spent_once() {
        loom::model(|| {
            let budget = RetryBudget::new(0, 1);
            let other = budget.clone();
            let spent = thread::spawn(move || other.spend());
            let here = budget.spend();
            let there = spent.join().unwrap();
            assert!(here != there, "{here} {there}");
            assert!(!budget.spend());
        });
    }

    /// What two calls earn beside one that spends is there, and no more.
    pub fn what_is_earned_beside_others_counts() {
        loom::model(|| {
            // A call earns half of an attempt, and one is there.
            let budget = RetryBudget::new(50, 10);
            while budget.spend() {}
            let earning = [(); 2].map(|()| {
                let budget = budget.clone();
                thread::spawn(move || budget.earn())
            });
            let early = u32::from(budget.spend());
            for thread in earning {
                thread.join().unwrap();
            }
            let late = u32::from(budget.spend());
            assert_eq!((early + late, budget.spend()), (1, false));
        });
    }
}

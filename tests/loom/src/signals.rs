//! Tries `Cancellation`.

use loom::future::block_on;
use loom::thread;

use crate::cancellation::Cancellation;

/// Whoever waits hears of the signal, whenever it is given.
pub fn who_waits_hears_of_it() {
    loom::model(|| {
        let signal = Cancellation::new();
        let other = signal.clone();
        let given = thread::spawn(move || other.cancel());
        block_on(signal.cancelled());
        assert!(signal.is_cancelled());
        given.join().unwrap();
    });
}

/// So do two who begin to wait at the same time. With three threads all orders are too many: those are tried in
/// which threads are interrupted at most twice, besides where they wait.
pub fn all_who_wait_hear_of_it() {
    let mut some = loom::model::Builder::new();
    some.preemption_bound = Some(2);
    some.check(|| {
        let signal = Cancellation::new();
        let (first, second) = (signal.clone(), signal.clone());
        let waits = thread::spawn(move || block_on(first.cancelled()));
        let given = thread::spawn(move || second.cancel());
        block_on(signal.cancelled());
        waits.join().unwrap();
        given.join().unwrap();
    });
}

/// Who hears of a lost connection knows that it was lost.
pub fn who_hears_that_a_connection_is_lost_knows_it() {
    loom::model(|| {
        let signal = Cancellation::new();
        let other = signal.clone();
        let lost = thread::spawn(move || other.lose());
        block_on(signal.cancelled());
        assert!(signal.is_lost());
        lost.join().unwrap();
    });
}

/// A signal that somebody gave, or holds, is not given to another call.
pub fn a_signal_is_reclaimed_only_where_nobody_gave_it() {
    loom::model(|| {
        let signal = Cancellation::new();
        let other = signal.clone();
        let given = thread::spawn(move || other.cancel());
        assert!(signal.reclaim().is_none());
        given.join().unwrap();
    });
    loom::model(|| {
        let signal = Cancellation::new();
        let other = signal.clone();
        let left = thread::spawn(move || other.start());
        if let Some(signal) = signal.reclaim() {
            assert!(!signal.is_started() && !signal.is_cancelled());
        }
        left.join().unwrap();
    });
}

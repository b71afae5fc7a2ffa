//! For tests of programs that call and serve: mocks of traits ([`MockMethod`]), and with the feature
//! `testing` a network that misbehaves as a seed says, and time that passes only when nothing else is
//! left to do.
//!
//! A test that hangs, waits for real timeouts, or fails once in a hundred runs is worse than none.
//! Inside `simulate` a timeout of an hour takes no time, and the same seed gives the same run, so
//! a failure that was seen once is seen every time. Ours are made of the same parts: the simulation
//! behind `docs/reliability.md` draws servers, calls and faults from each of its seeds.
#![cfg_attr(feature = "testing", doc = include_str!("../docs/testing.md"))]

#[cfg(feature = "testing")]
mod halves;
#[cfg(feature = "testing")]
mod link;
mod mock;
#[cfg(feature = "testing")]
mod network;
#[cfg(feature = "testing")]
mod plan;
#[cfg(all(test, feature = "testing"))]
mod tests;

#[cfg(feature = "testing")]
use crate::random::Simulated;

pub use self::mock::MockMethod;
#[doc(hidden)]
pub use self::mock::{MockItems, uploaded};
#[cfg(feature = "testing")]
pub use self::network::Network;
#[cfg(feature = "testing")]
pub use self::plan::{Direction, Fault, Plan, Side, Weather, When};

/// Runs a test on a clock that stands still while anything can be done, and then goes on to the next
/// time that something waits for.
///
/// What the library draws at random (pauses, the picks of a balance) comes from `seed`, so the same
/// test with the same seed does the same things in the same order, as long as it uses neither real
/// sockets, nor threads, nor a clock other than tokio's, nor `tokio::select!` without `biased`.
///
/// # Panics
///
/// If the test does, inside another runtime, or when the system gives no means to wait.
#[cfg(feature = "testing")]
pub fn simulate<F: Future>(seed: u64, test: F) -> F::Output {
    fastrand::seed(seed);
    let _simulated = Simulated::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime
        .expect("the system gives what a runtime needs")
        .block_on(test)
}

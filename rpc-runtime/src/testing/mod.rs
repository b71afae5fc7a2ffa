//! For tests of programs that call and serve: a network that misbehaves as a seed says, and time
//! that passes only when nothing else is left to do.
//!
//! A test that hangs, waits for real timeouts, or fails once in a hundred runs is worse than none.
//! Inside [`simulate`] a timeout of an hour takes no time, and the same seed gives the same run, so
//! a failure that was seen once is seen every time. Ours are made of the same parts: the simulation
//! behind `docs/reliability.md` draws servers, calls and faults from each of its seeds.
//!
//! # Examples
//!
//! A connection that breaks in the middle of an answer, and the retry that the caller does not notice:
//!
//! ```
//! use std::time::Duration;
//!
//! use rpc_runtime::layer::Retry;
//! use rpc_runtime::testing::{Fault, Network, Plan, Side, When, simulate};
//! use rpc_runtime::{Channel, Server};
//!
//! simulate(7, async {
//!     let network = Network::new(7).plan(|_, number| {
//!         let mut plan = Plan::default();
//!         if number == 0 {
//!             plan.faults.push((When::Sent(Side::Server, 500), Fault::Reset));
//!         }
//!         plan
//!     });
//!     let server = Server::new().function("report", || async { "all is well. ".repeat(100) });
//!     network.serve("reports", server.connections());
//!     let retry = Retry::new().assume_idempotent();
//!     let channel = Channel::connect(network.target(["reports"])).layer(retry).await?;
//!
//!     let call = channel.call::<_, String>("report", ()).timeout(Duration::from_secs(3600));
//!     assert_eq!(call.await?.len(), 1300);
//!     assert_eq!(network.connections("reports"), 2);
//!     Ok::<(), rpc_runtime::Status>(())
//! })
//! # .unwrap();
//! ```

mod halves;
mod link;
mod network;
mod plan;
#[cfg(test)]
mod tests;

pub use self::network::Network;
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
pub fn simulate<F: Future>(seed: u64, test: F) -> F::Output {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime
        .expect("the system gives what a runtime needs")
        .block_on(test)
}

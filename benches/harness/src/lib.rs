//! What every peer of the benchmark is asked to do, and how it is timed.
//!
//! A peer is a crate whose `main` is `harness::run::<ThePeer>()`, with a type that implements
//! [`Peer`]. Each workload is written once, against that trait. Server and client live in one
//! process and talk over TCP on the loopback interface.

mod burn;
mod latencies;
mod load;
mod message;
mod peer;
mod process;
mod record;
mod runtime;
mod workloads;

pub use anyhow::{Result, bail, ensure};
pub use bytes::Bytes;

pub use burn::burn;
pub use latencies::Latencies;
pub use load::{Load, Tally, Work};
pub use message::{NAME, Small, TAGS, checksum, expected_checksum};
pub use peer::{Items, NotOffered, Peer, PingPong, Unsupported};
pub use runtime::{on_own_thread, run};

//! The least that can be done over loopback TCP with tokio: what the floors share.

mod body;
mod frames;
pub mod mux;

pub use body::{checksum, small};
pub use frames::{Inbox, Outbox};

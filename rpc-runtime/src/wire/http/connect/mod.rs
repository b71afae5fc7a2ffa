//! Connect, for unary methods (<https://connectrpc.com/docs/protocol>): what `curl` and browsers
//! speak.
//!
//! [`unary`] answers calls, [`error`] says how they fail.

mod error;
mod unary;

pub(super) use unary::answer;

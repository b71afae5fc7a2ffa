//! Connect (<https://connectrpc.com/docs/protocol>): what `curl` and browsers speak.
//!
//! [`unary`] answers calls with one message each way, whose request may be a [`query`]; what streams
//! has envelopes and is answered where those of gRPC are. [`head`] and [`error`] have the protocol's
//! tables, and [`failure`] reads what servers say.

mod error;
mod failure;
mod head;
mod query;
mod unary;

pub(super) use error::end_of_stream;
pub(super) use failure::{of_answer, of_end, with_metadata};
pub(super) use head::{TIMEOUT, VERSION, VERSION_ONE, check_version, format_timeout, timeout};
pub(super) use query::{format_query, is_call};
pub(super) use unary::{get, post};

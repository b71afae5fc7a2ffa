//! JSON-RPC as the bodies of POST requests.

mod client;
mod server;

pub(crate) use client::{Connection, Place, may_go_again};
pub(super) use server::{answer, session, session_for};

/// The content type of a text: that of JSON, as pages of other sites must ask before they send it.
const JSON: &str = "application/json";

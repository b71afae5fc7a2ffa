//! JSON-RPC as the bodies of POST requests.

mod client;
mod server;

pub(super) use client::{check_kind, result, text};
pub(super) use server::{answer, session, session_for};

/// The content type of a text: that of JSON, as pages of other sites must ask before they send it.
pub(super) const JSON: &str = "application/json";

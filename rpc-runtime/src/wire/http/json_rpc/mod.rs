//! JSON-RPC as the bodies of POST requests.

mod server;

pub(super) use server::{answer, session, session_for};

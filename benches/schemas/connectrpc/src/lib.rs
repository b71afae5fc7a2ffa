//! What `connectrpc-build` writes.

#![allow(
    clippy::all,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]

connectrpc::include_generated!();

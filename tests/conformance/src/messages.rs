//! The messages that `build.rs` generates.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

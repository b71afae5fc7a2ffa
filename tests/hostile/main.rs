//! Peers that do what they like: a server, and a client, stay up, bounded and clear in their words.
//!
//! The long runs, in release:
//!
//! ```text
//! RPC_SOAK_CALLS=1000000 cargo test --release -p rpc-tests --test hostile -- --nocapture
//! ```

mod against_client;
mod broken;
mod depth;
mod early_answers;
mod floods;
mod fragments;
mod grpc_servers;
mod healthy;
mod http2;
mod http2_floods;
mod http2_rules;
mod json;
mod late_frames;
mod memory;
mod raw;
mod soak;
mod stalled;

//! Schemas at work: what `rpc-build` writes, called and served.

mod errors;
mod messages;
mod open_rpc;
mod parity;
mod patterns;
mod standard;
mod versions;

//! Schemas at work: what `rpc-build` writes, called and served.

mod aside;
mod chosen;
mod depth;
mod errors;
mod messages;
mod names;
mod open_rpc;
mod parity;
mod patterns;
mod revisions;
mod standard;
mod versions;

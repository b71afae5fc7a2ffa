//! Fixtures that several tests share: one service with every form of method, and servers of it.

#![forbid(unsafe_code)]

pub mod http1;
pub mod json_peer;
pub mod math;
pub mod raw;
pub mod serving;
mod websocket;

//! x
#![forbid(unsafe_code)]
mod wire;

//! Wires: bytes to requests and responses, and back.

pub(crate) mod budget;
pub(crate) mod cork;
pub(crate) mod native;

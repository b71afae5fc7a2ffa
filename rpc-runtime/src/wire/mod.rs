//! Wires: bytes to requests and responses, and back.

pub(crate) mod native;

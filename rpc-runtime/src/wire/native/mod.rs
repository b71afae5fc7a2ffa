//! The native wire, specified in `docs/wire.md`. What is here has no I/O.
#![allow(dead_code)]

pub(crate) mod call_fields;
pub(crate) mod field;
pub(crate) mod frame;
#[cfg(test)]
mod golden_tests;
pub(crate) mod preface;
pub(crate) mod settings;
pub(crate) mod varint;

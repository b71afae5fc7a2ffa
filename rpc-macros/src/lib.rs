//! The procedural macros of `rpc-runtime`, which re-exports and documents them.

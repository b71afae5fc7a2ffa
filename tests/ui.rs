//! Diagnostics of the macros.

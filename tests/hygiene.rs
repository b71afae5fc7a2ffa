//! Hygiene of the macros.

//! Turns `.proto` files into messages and annotated traits at build time, with no `protoc` and no other tool installed.
//!
//! Data flows in one direction: [`load`] reads files into a [`Schema`](schema::Schema), [`check`] and `breaking` judge
//! it, `emit` writes Rust. `config` is the only place with files and environment variables.

pub mod check;
pub mod diagnostic;
mod elements;
pub mod load;
pub mod schema;
pub mod source;
mod tag;

//! Turns `.proto` files into messages and annotated traits at build time, with no `protoc` and no other tool installed.
//!
//! [`compile`] and [`Config`] are what a build script calls. Data flows in one direction: [`load`] reads files into a
//! [`Schema`](schema::Schema), [`check`] judges it by itself and [`breaking`] against its [`lock`], `emit` writes Rust.

pub mod breaking;
pub mod check;
mod config;
pub mod diagnostic;
mod elements;
mod emit;
mod error;
mod ident;
pub mod load;
pub mod lock;
mod output;
mod release;
pub mod schema;
pub mod source;
mod tag;

pub use config::{Config, compile};
pub use error::Error;

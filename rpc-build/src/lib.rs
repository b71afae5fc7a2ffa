//! Turns `.proto` files into messages and annotated traits at build time, with no `protoc` and no other tool installed.
//!
//! # Beginning
//!
//! A crate needs `rpc-runtime` with the feature `protobuf`, `rpc-build` under `[build-dependencies]`, and a build script:
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), rpc_build::Error> {
//!     rpc_build::compile(["proto/users/v1/users.proto"])
//! }
//! ```
//!
//! `rpc_runtime::include_schema!("users.v1")` then brings the messages and the trait of that package into the module where it
//! stands; `include_schema!()` brings all packages. A service becomes a trait like one that you would write for
//! `#[rpc_service]`, and from there everything is as with such a trait. [`Config`] has what else can be said, and what is
//! written where.
//!
//! # Options of methods
//!
//! `import "rpc/v1/options.proto";`, which needs no file, brings options to a method: `timeout`, `since`, the message with
//! which it fails, `error`, and `priority`, `once` and `resumable`. `idempotency_level` and `deprecated` have their meaning too.
//!
//! ```proto
//! rpc GetUser(GetUserRequest) returns (User) {
//!   option idempotency_level = NO_SIDE_EFFECTS;
//!   option (rpc.v1.timeout) = "5s";
//!   option (rpc.v1.since) = "1.2";
//!   option (rpc.v1.error) = "NotFound";
//! }
//! ```
//!
//! # What was released stays compatible
//!
//! `RPC_BUILD_ACCEPT_SCHEMA=1 cargo build` releases the schema: it writes `schema.lock`, to be committed. From then on a build
//! fails that breaks what the lock says, with the place in the new file, the old text, buf's name of the rule and the way to do
//! it compatibly. The same command accepts a break on purpose. One element may break one rule for a reason, and another level
//! than the binary form and JSON can be chosen:
//!
//! ```no_run
//! use rpc_build::breaking::{Level, Policy};
//!
//! fn main() -> Result<(), rpc_build::Error> {
//!     let policy = Policy::new()
//!         .level(Level::Package)
//!         .allow("FIELD_SAME_TYPE", "users.v1.User.age", "no client read it, see the audit of May");
//!     rpc_build::Config::new()
//!         .files(["proto/users/v1/users.proto"])
//!         .compatibility(policy)
//!         .compile()
//! }
//! ```
//!
//! # Output that is committed
//!
//! ```no_run
//! fn main() -> Result<(), rpc_build::Error> {
//!     rpc_build::Config::new().files(["proto/users/v1/users.proto"]).out_dir("src/schema").verify().compile()
//! }
//! ```
//!
//! fails when `src/schema` is not what the schema says, and `RPC_BUILD_UPDATE=1 cargo build` brings it up to date.
//!
//! # Editions
//!
//! A file with `edition = ...` compiles from a descriptor set, which protoc or buf make of it: [`Config::descriptor_set`].
//!
//! # How it is built
//!
//! Data flows in one direction: [`load`] reads files into a [`Schema`](schema::Schema), [`check`] judges it by itself and
//! [`breaking`] against its [`lock`], `emit` writes Rust.

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
mod uses;

pub use config::{Config, compile};
pub use error::Error;

//! Files of the runtime as they are, over loom's locks, atomics and counted references: `crate::sync` is
//! another one here. Each function tries all orders in which its threads can meet, and panics if in one
//! of them a promise is broken, or a thread waits for ever.
//!
//! What is not among them, and why, is in `docs/decisions.md`.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the files have more than is tried"
)]
#[path = "../../../rpc-runtime/src/wire/budget.rs"]
mod budget;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the files have more than is tried"
)]
#[path = "../../../rpc-runtime/src/call/cancellation.rs"]
mod cancellation;
mod layer;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the files have more than is tried"
)]
#[path = "../../../rpc-runtime/src/wire/spares.rs"]
mod spares;
mod status;
mod sync;

pub mod bytes;
pub mod signals;

pub use self::layer::savings;

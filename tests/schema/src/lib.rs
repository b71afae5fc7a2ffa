//! What `rpc-build` makes of the schemas in `proto`, in a crate that forbids what a careful user forbids.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, clippy::all, rustdoc::all)]

/// All packages, each in the modules that its name says.
pub mod schema {
    rpc_runtime::include_schema!();
}

/// One package by itself, as most crates have it.
pub mod users {
    rpc_runtime::include_schema!("users.v1");
}

/// A package that needs another one.
pub mod kinds {
    rpc_runtime::include_schema!("kinds.v1");
}

pub mod twins;
